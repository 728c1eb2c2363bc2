/** Looks at jobs until they are over. */

import { type Readable, writable } from 'svelte/store'
import { jobs } from '../api/studio'
import { type Job, Job_State as State } from '../gen/spotilike/processing/v1/job_pb'

const FASTEST_MS = 1_000
const SLOWEST_MS = 5_000
/** How much longer each look waits while nothing changes. */
const SLOWER = 1.25
const PAGE = 100

export const isOver = (job: Job): boolean => job.state === State.COMPLETED || job.state === State.FAILED

export class JobWatch {
  /** What was last seen, by job. */
  readonly seen: Readable<ReadonlyMap<string, Job>>
  readonly #seen = writable<ReadonlyMap<string, Job>>(new Map())
  readonly #watched = new Set<string>()
  #timer = 0
  #wait = FASTEST_MS
  #last = ''

  /** `finished` hears of each watched job that is over. */
  constructor(private readonly finished: (job: Job) => void) {
    this.seen = this.#seen
  }

  /** Follows a job, also one that processing has not taken in yet. */
  follow(job: string): void {
    if (!job || this.#watched.has(job)) return
    this.#watched.add(job)
    this.#wait = FASTEST_MS
    if (!this.#timer) this.#plan(0)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#watched.clear()
  }

  #plan(milliseconds: number): void {
    this.#timer = setTimeout(() => void this.#look(), milliseconds)
  }

  async #look(): Promise<void> {
    // A look that fails is repeated like one that shows nothing new.
    const page = await jobs.listJobs({ pageSize: PAGE }).catch(() => null)
    if (page) this.#take(page.jobs)
    this.#timer = 0
    if (this.#watched.size) this.#plan(this.#wait)
  }

  #take(found: Job[]): void {
    const watched = found.filter(({ name }) => this.#watched.has(name))
    const picture = watched.map(({ name, state, stage, percent }) => `${name} ${state} ${stage} ${percent}`).join()
    this.#wait = picture === this.#last ? Math.min(this.#wait * SLOWER, SLOWEST_MS) : FASTEST_MS
    this.#last = picture
    this.#seen.update((seen) => new Map([...seen, ...watched.map((job) => [job.name, job] as const)]))
    for (const job of watched.filter(isOver)) {
      this.#watched.delete(job.name)
      this.finished(job)
    }
  }
}
