/** Tells the server what was heard of one playback. */

import { Code, ConnectError } from '@connectrpc/connect'
import { failureOf } from '../api/failure'
import { reports } from '../api/playbacks'
import { Listening } from './intervals'

/** Reports come this often while sound plays, plus up to as much as JITTER_MS, so that clients spread. */
const EVERY_MS = 15_000
const JITTER_MS = 3_000

export class Reporter {
  readonly listening = new Listening()
  #sequence = 0n
  #timer = 0
  #closed = false

  /** `closed` is called when the server has closed the playback by itself, after a long silence. */
  constructor(
    private readonly playback: string,
    private readonly position: () => number,
    private readonly closed: () => void,
  ) {}

  /** Reports from time to time, until `pause` or `end`. */
  run(): void {
    if (this.#timer || this.#closed) return
    this.#timer = setTimeout(
      () => {
        this.#timer = 0
        this.#send(false)
        this.run()
      },
      EVERY_MS + Math.random() * JITTER_MS,
    )
  }

  /** The sound stopped for now. */
  pause(): void {
    this.#stop()
    this.listening.breaks()
    this.#send(false)
  }

  /** This listening is over. */
  end(): void {
    this.#stop()
    this.#send(true)
    this.#closed = true
  }

  #stop(): void {
    clearTimeout(this.#timer)
    this.#timer = 0
  }

  #send(ended: boolean): void {
    if (this.#closed) return
    this.#sequence += 1n
    const intervals = this.listening.stretches.map(([start, end]) => ({ start, end }))
    reports
      .reportPlayback({
        name: this.playback,
        intervals,
        position: this.position(),
        stalls: this.listening.stalls,
        ended,
        sequence: this.#sequence,
      })
      .catch((error: unknown) => this.#lost(error))
  }

  /** A lost report does no harm, the next one holds everything; one that will never be taken ends the playback. */
  #lost(error: unknown): void {
    const { reason } = failureOf(error)
    const gone = reason === 'PLAYBACK_CLOSED' || ConnectError.from(error).code === Code.NotFound
    if (!gone || this.#closed) return
    this.#closed = true
    this.#stop()
    this.closed()
  }
}
