/** The jobs that a page shows, as they are now. */

import { fromStore } from 'svelte/store'
import { user } from '../account/user'
import { jobs } from '../api/studio'
import type { Job } from '../gen/spotilike/processing/v1/job_pb'
import { watchJobs } from './job_watch'
import { type KnownJobs, justOver, newestFirst, withNews } from './jobs'

const open = (sequence: bigint, signal: AbortSignal) => jobs.watchJobs({ sequence }, { signal, timeoutMs: 0 })

export class JobFeed {
  #known = $state.raw<KnownJobs>(new Map())
  readonly newestFirst = $derived(newestFirst(this.#known))

  /** Takes in what was read or answered. */
  learn = (found: readonly Job[]): void => {
    this.#known = withNews(this.#known, found)
  }

  /** Takes in what the stream tells; answers the jobs of which it is news that they are over. */
  hear(told: readonly Job[]): Job[] {
    const over = justOver(this.#known, told)
    this.learn(told)
    return over
  }

  has(name: string): boolean {
    return this.#known.has(name)
  }
}

/** Follows the jobs of the user while the page is shown. `ended` hears when one of them is over. */
export function jobFeed(ended: (job: Job) => void = () => undefined): JobFeed {
  const feed = new JobFeed()
  const who = fromStore(user)
  const isSignedIn = $derived(Boolean(who.current))
  $effect(() => {
    if (!isSignedIn) return
    const leaving = new AbortController()
    void watchJobs(open, (told) => feed.hear(told).forEach(ended), leaving.signal)
    return () => leaving.abort()
  })
  return feed
}
