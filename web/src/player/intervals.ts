/** What of a track was heard, as stretches in seconds. */

/** From and to. */
export type Stretch = readonly [number, number]

/** Stretches closer than this are one, in seconds: clocks of media elements are not exact. */
const TOUCHING = 0.25

/** Adds a stretch to sorted stretches that do not touch, and returns such a list again. */
export function union(stretches: readonly Stretch[], added: Stretch): Stretch[] {
  if (added[1] <= added[0]) return [...stretches]
  const before = stretches.filter(([, to]) => to < added[0] - TOUCHING)
  const after = stretches.filter(([from]) => from > added[1] + TOUCHING)
  const touched = stretches.slice(before.length, stretches.length - after.length)
  const from = Math.min(added[0], ...touched.map((each) => each[0]))
  const to = Math.max(added[1], ...touched.map((each) => each[1]))
  return [...before, [from, to], ...after]
}

/** A longer step between two positions is a jump, in seconds; browsers tell the position four times a second. */
const LONGEST_STEP = 5

/** How many seconds the stretches hold. */
export function total(stretches: readonly Stretch[]): number {
  return stretches.reduce((sum, [from, to]) => sum + to - from, 0)
}

/** Collects what is heard from the positions that a player passes. */
export class Listening {
  stretches: readonly Stretch[] = []
  stalls = 0
  #last: number | null = null

  /** The sound plays and is at `position`. */
  passes(position: number): void {
    const step = this.#last === null ? 0 : position - this.#last
    if (this.#last !== null && step <= LONGEST_STEP) this.stretches = union(this.stretches, [this.#last, position])
    this.#last = position
  }

  /** The sound jumps or stops: what comes next is not joined to what was. */
  breaks(): void {
    this.#last = null
  }
}
