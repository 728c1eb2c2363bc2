import { create } from '@bufbuild/protobuf'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Job, JobSchema } from '../src/gen/spotilike/processing/v1/job_pb'
import { type WatchJobsResponse, WatchJobsResponseSchema } from '../src/gen/spotilike/processing/v1/job_service_pb'
import { watchJobs } from '../src/studio/job_watch'

const message = (sequence: bigint, ...names: string[]): WatchJobsResponse =>
  create(WatchJobsResponseSchema, { sequence, jobs: names.map((name) => create(JobSchema, { name })) })

/** Waits like a connection on which nothing comes, until it is given up. */
const silence = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))

type Stream = (signal: AbortSignal) => AsyncGenerator<WatchJobsResponse>

/** Follows streams, one after the other; the last one is opened again and again. */
function follow(...streams: Stream[]) {
  const opened: bigint[] = []
  const heard: string[] = []
  const leaving = new AbortController()
  const done = watchJobs(
    (sequence, signal) => {
      opened.push(sequence)
      return streams[Math.min(opened.length, streams.length) - 1]!(signal)
    },
    (jobs: Job[]) => heard.push(...jobs.map(({ name }) => name)),
    leaving.signal,
    () => 1,
  )
  return { opened, heard, leave: () => leaving.abort(), done }
}

const quiet: Stream = async function* (signal) {
  yield message(9n)
  await silence(signal)
}

const dead: Stream = async function* () {
  throw new Error('refused')
}

describe('the watch over jobs', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  test('goes on with the last sequence when a stream has ended or failed', async () => {
    const ends: Stream = async function* () {
      yield message(1n, 'jobs/a')
      yield message(2n)
    }
    const fails: Stream = async function* () {
      yield message(3n, 'jobs/b')
      throw new Error('reset')
    }
    const { opened, heard, leave } = follow(ends, fails, quiet)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(opened).toEqual([0n, 2n, 3n])
    expect(heard).toEqual(['jobs/a', 'jobs/b'])
    leave()
  })

  test('waits longer after each stream that told nothing, up to half a minute', async () => {
    const { opened, leave } = follow(dead)
    const counts = []
    for (const seconds of [1, 2, 4, 8, 16, 30, 30]) {
      await vi.advanceTimersByTimeAsync(seconds * 1000)
      counts.push(opened.length)
    }
    expect(counts).toEqual([2, 3, 4, 5, 6, 7, 8])
    leave()
  })

  test('does not wait longer after a stream that has told something', async () => {
    const brief: Stream = async function* () {
      yield message(1n)
    }
    const { opened, leave } = follow(brief)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(opened).toHaveLength(6)
    leave()
  })

  test('gives up a stream that was silent for 40 seconds, and none that gives signs of life', async () => {
    const alive: Stream = async function* (signal) {
      for (let beat = 0; beat < 4; beat += 1) {
        await new Promise((resolve) => setTimeout(resolve, 15_000))
        yield message(5n)
      }
      await silence(signal)
    }
    const { opened, leave } = follow(alive, quiet)
    await vi.advanceTimersByTimeAsync(60_000 + 39_000)
    expect(opened).toEqual([0n])
    await vi.advanceTimersByTimeAsync(3_000)
    expect(opened).toEqual([0n, 5n])
    leave()
  })

  test('ends the stream and waits for nothing when the page is left', async () => {
    let isCut = false
    const watched: Stream = async function* (signal) {
      signal.addEventListener('abort', () => (isCut = true))
      yield* quiet(signal)
    }
    const following = follow(watched)
    await vi.advanceTimersByTimeAsync(100)
    following.leave()
    await following.done
    expect(isCut).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
    const waiting = follow(dead)
    await vi.advanceTimersByTimeAsync(100)
    waiting.leave()
    await waiting.done
    expect(waiting.opened).toHaveLength(1)
  })
})
