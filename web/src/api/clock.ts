/** The server's clock, by which tokens end: the clocks of devices may be wrong by hours. */

let aheadMs = 0

/** Learns from a moment that was now at the server, in milliseconds since 1970. */
export function learnServerTime(nowMs: number): void {
  aheadMs = nowMs - Date.now()
}

/** Returns what the server's clock shows, in milliseconds since 1970. */
export function serverNow(): number {
  return Date.now() + aheadMs
}
