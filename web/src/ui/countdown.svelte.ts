/** Seconds that are left of a wait, for as long as the part that shows them is there. */

const STEP_MS = 250

export class Countdown {
  left = $state(0)
  #timer = 0

  start(milliseconds: number): void {
    this.stop()
    const end = performance.now() + milliseconds
    const count = () => {
      const left = Math.max(0, Math.ceil((end - performance.now()) / 1000))
      this.left = left
      if (!left) this.stop()
    }
    this.#timer = setInterval(count, STEP_MS)
    count()
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}

/** Makes a countdown that ends with the component that calls this. */
export function countdown(milliseconds = 0): Countdown {
  const made = new Countdown()
  $effect(() => {
    if (milliseconds) made.start(milliseconds)
    return () => made.stop()
  })
  return made
}
