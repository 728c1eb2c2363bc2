/** Sound: one media element, fed by hls.js or by the browser's own HLS, and a gain for loudness. */

import type Hls from 'hls.js'
import type { ErrorData } from 'hls.js'
import type { Source } from './source'

export interface EngineEvents {
  /** The position moved while sound plays. */
  progressed(): void
  /** Anything else that is shown has changed: playing, length, waiting, levels. */
  changed(): void
  /** The sound was stopped, by the page or by the system. */
  paused(): void
  ended(): void
  /** Sound had to wait for bytes. */
  stalled(): void
  /** The media token is not taken any more. */
  unauthorized(): void
  /** This source cannot be played. `decoding`: the bytes came, but the browser does not take them. */
  failed(decoding: boolean): void
}

const UNAUTHORIZED = [401, 403]

export class Engine {
  readonly audio = new Audio()
  waiting = false
  #hls: Hls | null = null
  #context: AudioContext | null = null
  #gainNode: GainNode | null = null
  #gain = 1
  #recovered = false

  constructor(private readonly events: EngineEvents) {
    this.audio.preload = 'auto'
    const changed = () => events.changed()
    for (const type of ['play', 'durationchange', 'seeked']) {
      this.audio.addEventListener(type, changed)
    }
    this.audio.addEventListener('timeupdate', () => events.progressed())
    this.audio.addEventListener('pause', () => events.paused())
    this.audio.addEventListener('ended', () => events.ended())
    this.audio.addEventListener('playing', () => this.#wait(false))
    this.audio.addEventListener('canplay', () => this.#wait(false))
    this.audio.addEventListener('waiting', () => {
      // A seek waits too, and says nothing about the network.
      if (!this.audio.seeking && this.audio.currentTime > 0) events.stalled()
      this.#wait(true)
    })
    this.audio.addEventListener('error', () => {
      if (!this.#hls && this.audio.error) events.failed(this.audio.error.code >= MediaError.MEDIA_ERR_DECODE)
    })
  }

  /**
   * Opens a source at a position in seconds. `token` answers the newest media token, an empty one where none is needed.
   *
   * A playlist that grows is played from its position on, too, and to its end when that is there.
   */
  async load(source: Source, position: number, token: () => string): Promise<void> {
    this.unload()
    this.#wait(true)
    if (source.native) {
      // The position is set with the address: a media fragment is understood by all browsers with HLS.
      this.audio.src = `${withToken(source.uri, token())}#t=${position}`
      return
    }
    const { default: Player } = await import('hls.js')
    const hls = new Player({
      // The policy of the page allows workers from files only, and whole fragments need no transmuxing.
      enableWorker: false,
      startPosition: position,
      maxBufferLength: 60,
      xhrSetup: (xhr) => {
        if (token()) xhr.setRequestHeader('X-Media-Token', token())
      },
    })
    this.#hls = hls
    this.#recovered = false
    hls.on(Player.Events.MANIFEST_PARSED, () => this.events.changed())
    hls.on(Player.Events.LEVEL_SWITCHED, () => this.events.changed())
    hls.on(Player.Events.ERROR, (_, data) => this.#handle(Player, data))
    hls.loadSource(source.uri)
    hls.attachMedia(this.audio)
  }

  /** Goes on loading after a new media token. */
  resumeLoading(): void {
    this.#hls?.startLoad()
  }

  unload(): void {
    this.#hls?.destroy()
    this.#hls = null
    this.audio.removeAttribute('src')
    this.audio.load()
  }

  /** Plays; false when the browser wants the listener to click first. */
  async play(): Promise<boolean> {
    this.#connect()
    void this.#context?.resume()
    try {
      await this.audio.play()
    } catch (error) {
      if (!(error instanceof DOMException)) throw error
      // Anything else is another load or a pause that came in between.
      return error.name !== 'NotAllowedError'
    }
    return true
  }

  pause(): void {
    this.audio.pause()
  }

  get position(): number {
    return this.audio.currentTime
  }

  set position(seconds: number) {
    this.audio.currentTime = seconds
  }

  /** Length in seconds; null until it is known. */
  get length(): number | null {
    return Number.isFinite(this.audio.duration) && this.audio.duration > 0 ? this.audio.duration : null
  }

  get playing(): boolean {
    return !this.audio.paused && !this.audio.ended
  }

  /** Multiplies the samples, for equal loudness. */
  set gain(factor: number) {
    this.#gain = factor
    if (this.#gainNode && this.#context) this.#gainNode.gain.setTargetAtTime(factor, this.#context.currentTime, 0.05)
  }

  /** Bit rates of the levels, in bits a second, lowest first. */
  get levels(): number[] {
    return this.#hls?.levels.map(({ bitrate }) => bitrate) ?? []
  }

  /** Index of the level that is heard; -1 when it is not known. */
  get level(): number {
    return this.#hls?.currentLevel ?? -1
  }

  /** Holds a level from the next fragment on; -1 lets the network decide. */
  hold(level: number): void {
    if (this.#hls) this.#hls.nextLevel = level
  }

  #wait(waiting: boolean): void {
    this.waiting = waiting
    this.events.changed()
  }

  /** Leads the element through a gain. Made at the first play: before, browsers refuse to start an AudioContext. */
  #connect(): void {
    if (this.#context || !globalThis.AudioContext || !('MediaSource' in globalThis)) return
    this.#context = new AudioContext({ latencyHint: 'playback' })
    this.#gainNode = this.#context.createGain()
    this.#gainNode.gain.value = this.#gain
    this.#context.createMediaElementSource(this.audio).connect(this.#gainNode).connect(this.#context.destination)
  }

  #handle(Player: typeof Hls, data: ErrorData): void {
    if (UNAUTHORIZED.includes(data.response?.code ?? 0)) {
      if (data.fatal) this.events.unauthorized()
    } else if (data.fatal && data.type === Player.ErrorTypes.MEDIA_ERROR && !this.#recovered) {
      this.#recovered = true
      this.#hls?.recoverMediaError()
    } else if (data.fatal) {
      this.events.failed(data.type === Player.ErrorTypes.MEDIA_ERROR)
    }
  }
}

/** Returns the path form of a media address, `/media/{token}/audio/…`, from which relative addresses inherit the token. */
function withToken(uri: string, mediaToken: string): string {
  return uri.replace(/^\/media\//, `/media/${mediaToken}/`)
}
