/** Hears of jobs while they change, over streams that end now and then and are opened again. */

import type { Job } from '../gen/spotilike/processing/v1/job_pb'
import type { WatchJobsResponse } from '../gen/spotilike/processing/v1/job_service_pb'

/** Heartbeats come every 15 seconds: whoever is silent for longer than two of them is gone. */
const SILENCE_MS = 40_000
const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 30_000

/** Opens a stream that goes on after `sequence`; the signal ends it. */
export type Open = (sequence: bigint, signal: AbortSignal) => AsyncIterable<WatchJobsResponse>

/** Tells `hear` of every job that changes, until `left` says that nobody looks any more. */
export async function watchJobs(
  open: Open,
  hear: (jobs: Job[]) => void,
  left: AbortSignal,
  random: () => number = Math.random,
): Promise<void> {
  let sequence = 0n
  let failures = 0
  while (!left.aborted) {
    try {
      for await (const message of unlessSilent(open, sequence, left)) {
        sequence = message.sequence
        failures = 0
        if (message.jobs.length) hear(message.jobs)
      }
    } catch {
      // Whatever ended the stream, the next one goes on where it was.
    }
    await pause(pauseMs(failures, random), left)
    failures += 1
  }
}

/** Returns how long to wait before the next stream: doubled with each that told nothing, spread so that outages end gently. */
function pauseMs(failures: number, random: () => number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS) * (0.5 + random() / 2)
}

/** Reads a stream and gives it up when it is silent for too long. */
async function* unlessSilent(open: Open, sequence: bigint, left: AbortSignal): AsyncGenerator<WatchJobsResponse> {
  const stream = new AbortController()
  const end = () => stream.abort()
  left.addEventListener('abort', end)
  let timer = setTimeout(end, SILENCE_MS)
  try {
    for await (const message of open(sequence, stream.signal)) {
      clearTimeout(timer)
      timer = setTimeout(end, SILENCE_MS)
      yield message
    }
  } finally {
    clearTimeout(timer)
    left.removeEventListener('abort', end)
  }
}

function pause(milliseconds: number, left: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (left.aborted) return resolve()
    const go = () => {
      clearTimeout(timer)
      left.removeEventListener('abort', go)
      resolve()
    }
    const timer = setTimeout(go, milliseconds)
    left.addEventListener('abort', go)
  })
}
