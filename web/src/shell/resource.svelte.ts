/** Something that a page reads from the server: not there yet, there, or failed. */

import { type Failure, failureOf } from '../api/failure'

export class Resource<T> {
  value = $state.raw<T | undefined>(undefined)
  failure = $state.raw<Failure | undefined>(undefined)
  #asked = 0

  constructor(private readonly fetch: () => Promise<T>) {}

  /** Reads again; what was shown stays until the answer comes. */
  load = async (): Promise<void> => {
    this.#asked += 1
    const asked = this.#asked
    try {
      const value = await this.fetch()
      if (asked !== this.#asked) return
      this.value = value
      this.failure = undefined
    } catch (error) {
      if (asked === this.#asked) this.failure = failureOf(error)
    }
  }
}

/** Reads now, and again whenever something that `fetch` reads before its first wait changes. */
export function resource<T>(fetch: () => Promise<T>): Resource<T> {
  const made = new Resource(fetch)
  $effect(() => {
    void made.load()
  })
  return made
}
