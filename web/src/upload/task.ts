/** One master on its way: parts in parallel, tried again, paused, resumed and given up. */

import { type Readable, writable } from 'svelte/store'
import { type Failure, failureOf } from '../api/failure'
import { uploads } from '../api/studio'
import { type Upload, Upload_State as State } from '../gen/spotilike/catalog/v1/upload_pb'
import { fingerprint, wholeDigest } from './fingerprint'
import { forget, remember } from './pending'
import { TRIES, type Piece, arrivedBytes, arrivedTags, backOff, missingPieces } from './planner'
import { PutError, put } from './put'
import { Slots } from './slots'

export type TaskPhase = 'starting' | 'sending' | 'paused' | 'finishing' | 'done' | 'failed' | 'cancelled'

export interface TaskState {
  phase: TaskPhase
  /** Bytes that the server has confirmed. */
  arrived: number
  /** Bytes on their way: handed to the network, not confirmed. */
  underway: number
  /** The network does not answer; parts are tried again. */
  retrying: boolean
  /** Why the phase is `failed`. */
  failure: Failure | null
}

const FINISHED: readonly TaskPhase[] = ['done', 'cancelled']

/** Parts on their way at a time, over all uploads of the page. */
const slots = new Slots(3)

export class UploadTask {
  readonly state: Readable<TaskState>
  readonly #state
  #now: TaskState = { phase: 'starting', arrived: 0, underway: 0, retrying: false, failure: null }
  #stop = new AbortController()
  #upload = ''
  readonly #underway = new Map<number, number>()
  readonly #digest

  /** `resumed` names an upload that was begun before a reload; `completed` hears of the finished upload. */
  constructor(
    readonly file: File,
    readonly track: string,
    readonly album: string,
    private readonly completed: (upload: Upload) => void,
    resumed = '',
  ) {
    this.#upload = resumed
    this.#digest = wholeDigest(file)
    this.#state = writable(this.#now)
    this.state = this.#state
    void this.#run()
  }

  get isOver(): boolean {
    return FINISHED.includes(this.#now.phase)
  }

  pause(): void {
    if (this.#now.phase !== 'sending' && this.#now.phase !== 'starting') return
    this.#stop.abort()
    this.#set({ phase: 'paused', underway: 0, retrying: false })
  }

  /** Goes on after a pause or a failure. */
  resume(): void {
    if (this.#now.phase !== 'paused' && this.#now.phase !== 'failed') return
    this.#stop = new AbortController()
    this.#set({ phase: 'starting', failure: null })
    void this.#run()
  }

  async cancel(): Promise<void> {
    this.#stop.abort()
    this.#digest.cancel()
    this.#set({ phase: 'cancelled', underway: 0 })
    if (!this.#upload) return
    forget(this.#upload)
    // Where this fails the upload expires by itself.
    await uploads.abortUpload({ name: this.#upload }).catch(() => undefined)
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    try {
      let upload = await this.#open()
      for (let round = 1; !signal.aborted && upload.state === State.OPEN; round += 1) {
        const tags = arrivedTags(upload)
        this.#set({ phase: 'sending', arrived: arrivedBytes(upload) })
        const isStale = await this.#send(missingPieces(upload), tags, signal)
        if (isStale && round === TRIES) throw new PutError(403)
        upload = isStale ? await uploads.getUpload({ name: upload.name }) : await this.#complete(upload.name, tags)
      }
      if (!signal.aborted) this.#finish(upload)
    } catch (error) {
      if (signal.aborted) return
      this.#stop.abort()
      this.#set({ phase: 'failed', underway: 0, retrying: false, failure: describe(error) })
    }
  }

  async #open(): Promise<Upload> {
    if (this.#upload) return uploads.getUpload({ name: this.#upload })
    const { file, track, album } = this
    const upload = await uploads.createUpload({
      track,
      filename: file.name,
      sizeBytes: BigInt(file.size),
      contentType: file.type,
    })
    this.#upload = upload.name
    const { name: filename, size } = file
    remember({ upload: upload.name, track, album, filename, size, fingerprint: await fingerprint(file) })
    return upload
  }

  /** Sends all pieces and collects their tags; true when fresh addresses are needed. */
  async #send(pieces: Piece[], tags: Map<number, string>, signal: AbortSignal): Promise<boolean> {
    let isStale = false
    await Promise.all(
      pieces.map((piece) =>
        slots.run(async () => {
          if (signal.aborted || isStale) return
          try {
            tags.set(piece.number, await this.#sendPiece(piece, signal))
            this.#set({ arrived: this.#now.arrived + piece.to - piece.from })
          } catch (error) {
            if (!(error instanceof PutError && error.isStale)) throw error
            isStale = true
          } finally {
            this.#sent(piece.number, 0)
          }
        }),
      ),
    )
    return isStale
  }

  async #sendPiece(piece: Piece, signal: AbortSignal): Promise<string> {
    const body = this.file.slice(piece.from, piece.to)
    for (let attempt = 1; ; attempt += 1) {
      try {
        const tag = await put(piece.url, body, (bytes) => this.#sent(piece.number, bytes), signal)
        this.#set({ retrying: false })
        return tag
      } catch (error) {
        if (!(error instanceof PutError) || error.isStale || attempt === TRIES) throw error
        this.#sent(piece.number, 0)
        this.#set({ retrying: true })
        await wait(backOff(attempt), signal)
      }
    }
  }

  async #complete(name: string, tags: Map<number, string>): Promise<Upload> {
    this.#set({ phase: 'finishing' })
    const parts = [...tags].sort(([a], [b]) => a - b).map(([number, etag]) => ({ number, etag }))
    return uploads.completeUpload({ name, parts, sha256: await this.#digest.sha256 })
  }

  #finish(upload: Upload): void {
    forget(upload.name)
    const isDone = upload.state === State.COMPLETED
    this.#set({ phase: isDone ? 'done' : 'cancelled', underway: 0, retrying: false })
    if (isDone) this.completed(upload)
  }

  #sent(number: number, bytes: number): void {
    if (bytes) this.#underway.set(number, bytes)
    else this.#underway.delete(number)
    this.#set({ underway: [...this.#underway.values()].reduce((sum, each) => sum + each, 0) })
  }

  #set(changes: Partial<TaskState>): void {
    this.#now = { ...this.#now, ...changes }
    this.#state.set(this.#now)
  }
}

function describe(error: unknown): Failure {
  const failure = failureOf(error)
  return error instanceof PutError ? { ...failure, reason: 'UPLOAD_INTERRUPTED' } : failure
}

/** Waits, or until the network is back when it is gone. */
function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds)
    addEventListener('online', () => resolve(), { once: true, signal })
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      reject(new DOMException('The upload was stopped.', 'AbortError'))
    })
  })
}
