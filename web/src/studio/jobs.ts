/** What can be said of jobs without asking anybody. */

import { timestampMs } from '@bufbuild/protobuf/wkt'
import { type Job, Job_State as State } from '../gen/spotilike/processing/v1/job_pb'

/** What a page knows of jobs, by name. */
export type KnownJobs = ReadonlyMap<string, Job>

export const isOver = (job: Job): boolean => job.state === State.COMPLETED || job.state === State.FAILED

export const begun = (job: Job): number => (job.createTime ? timestampMs(job.createTime) : 0)

const changed = (job: Job): number => (job.updateTime ? timestampMs(job.updateTime) : 0)

/** Takes in how jobs are; an answer that was overtaken by a newer one changes nothing. */
export function withNews(known: KnownJobs, jobs: readonly Job[]): KnownJobs {
  const merged = new Map(known)
  for (const job of jobs) {
    const before = merged.get(job.name)
    if (!before || changed(before) <= changed(job)) merged.set(job.name, job)
  }
  return merged
}

export function newestFirst(known: KnownJobs): Job[] {
  return [...known.values()].sort((a, b) => begun(b) - begun(a) || (a.name < b.name ? 1 : -1))
}

/** The jobs of which `known` does not know yet that they are over. */
export function justOver(known: KnownJobs, jobs: readonly Job[]): Job[] {
  return jobs.filter((job) => {
    const before = known.get(job.name)
    return isOver(job) && !(before && isOver(before))
  })
}

/** What a track's row shows: its newest job, and the newest one that was completed. */
export interface TrackJobs {
  newest: Job | undefined
  completed: Job | undefined
}

export function jobsOf(track: string, sorted: readonly Job[]): TrackJobs {
  const own = sorted.filter((job) => job.track === track)
  return { newest: own[0], completed: own.find(({ state }) => state === State.COMPLETED) }
}
