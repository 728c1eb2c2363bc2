/** Lets a few run at a time, in the order in which they came. */
export class Slots {
  readonly #waiting: (() => void)[] = []

  constructor(private free: number) {}

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free -= 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await work()
    } finally {
      const following = this.#waiting.shift()
      if (following) following()
      else this.free += 1
    }
  }
}
