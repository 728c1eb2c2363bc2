/** A list that the server answers page by page. */

import { attempt } from './attempt'
import { Resource } from './resource.svelte'

export interface Page<T> {
  items: T[]
  nextPageToken: string
}

export class Pages<T> {
  readonly #first: Resource<Page<T>>
  #older = $state.raw<T[]>([])
  #nextPageToken = $state('')

  constructor(private readonly fetch: (pageToken: string) => Promise<Page<T>>) {
    this.#first = new Resource(async () => {
      const page = await fetch('')
      this.#older = []
      this.#nextPageToken = page.nextPageToken
      return page
    })
  }

  /** What has been read so far; undefined before the first answer. */
  get items(): T[] | undefined {
    return this.#first.value && [...this.#first.value.items, ...this.#older]
  }

  get failure() {
    return this.#first.failure
  }

  get hasMore(): boolean {
    return this.#nextPageToken !== ''
  }

  /** Reads from the beginning. */
  load = (): Promise<void> => this.#first.load()

  /** Reads the page after the last one. */
  more = async (): Promise<void> => {
    await attempt(async () => {
      const page = await this.fetch(this.#nextPageToken)
      this.#older = [...this.#older, ...page.items]
      this.#nextPageToken = page.nextPageToken
    })
  }
}

/** Reads the first page now, and again whenever something that `fetch` reads before its first wait changes. */
export function pages<T>(fetch: (pageToken: string) => Promise<Page<T>>): Pages<T> {
  const made = new Pages(fetch)
  $effect(() => {
    void made.load()
  })
  return made
}
