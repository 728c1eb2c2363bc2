/** The player: what is queued, what is heard, and what the server is told about it. */

import { type Readable, writable } from 'svelte/store'
import type { Failure } from '../api/failure'
import type { Playback } from '../gen/spotilike/streaming/v1/playback_pb'
import { Engine } from './engine'
import { gain } from './loudness'
import { type Settings, writePlace, writeSettings } from './memory'
import * as queues from './queue'
import type { Queue, QueueTrack } from './queue'
import type { Reporter } from './reporter'
import type { Source } from './source'
import { type PlayerState, restoredState } from './state'
import { fetchPeaks } from './waveform'

export interface Announcer {
  /** Sound could not be had; null: the browser could not decode or reach it. */
  failed(failure: Failure | null): void
  /** Only users hear music. */
  signInNeeded(): void
}

/** `previous` starts the track anew when more than this was heard of it, in seconds. */
const RESTART_AFTER = 3
const RENEW_EARLY_MS = 60_000
const SAVE_EVERY_MS = 5_000

const listening = () => import('./listening')


export class Player {
  readonly state: Readable<PlayerState>
  readonly #state
  #now: PlayerState
  readonly #engine: Engine
  #announcer: Announcer
  #playback: Playback | null = null
  #source: Source | null = null
  #reporter: Reporter | null = null
  readonly #refused = new Set<Source['codec']>()
  /** Rises with every track that is opened: an answer for an older one is thrown away. */
  #opening = 0
  /** Whether the listener wants sound, be it there or not. */
  #wanted = false
  #renewal = 0
  #saved = 0

  constructor(announcer: Announcer) {
    this.#announcer = announcer
    this.#now = restoredState()
    this.#state = writable(this.#now)
    this.state = this.#state
    this.#engine = new Engine({
      progressed: () => this.#progress(),
      changed: () => this.#read(),
      paused: () => this.#paused(),
      ended: () => this.#ended(),
      stalled: () => this.#reporter && (this.#reporter.listening.stalls += 1),
      unauthorized: () => void this.#renew(),
      failed: (decoding) => this.#mediaFailed(decoding),
    })
    this.#engine.audio.volume = this.#now.volume
    this.#engine.audio.muted = this.#now.muted
    addEventListener('pagehide', () => this.#leave())
  }

  get queue(): Queue {
    return this.#now.queue
  }

  /** Replaces the queue and plays from the track at `start`. */
  play(tracks: readonly QueueTrack[], start = 0): void {
    this.#goTo(queues.replaced(this.queue, tracks, start, Math.random))
  }

  enqueue(tracks: readonly QueueTrack[]): void {
    this.#change(queues.appended(this.queue, tracks))
  }

  playNext(tracks: readonly QueueTrack[]): void {
    this.#change(queues.playedNext(this.queue, tracks))
  }

  toggle(): void {
    if (this.#wanted) this.pause()
    else this.resume()
  }

  resume(): void {
    if (!queues.currentEntry(this.queue)) return
    this.#wanted = true
    if (this.#playback) void this.#sound()
    else void this.#open(this.#now.position)
  }

  pause(): void {
    this.#wanted = false
    this.#engine.pause()
    this.#set({ playing: false, loading: false })
  }

  next(): void {
    this.#goTo(queues.next(this.queue))
  }

  previous(): void {
    const before = this.#now.position > RESTART_AFTER ? null : queues.previous(this.queue)
    if (before) this.#goTo(before)
    else this.seek(0)
  }

  jump(id: string): void {
    this.#goTo(queues.jumped(this.queue, id))
  }

  remove(id: string): void {
    const isCurrent = queues.currentEntry(this.queue)?.id === id
    this.#change(queues.removed(this.queue, id))
    if (isCurrent) void this.#open(0)
  }

  move(id: string, to: number): void {
    this.#change(queues.moved(this.queue, id, to))
  }

  clearUpcoming(): void {
    this.#change(queues.withoutUpcoming(this.queue))
  }

  seek(seconds: number): void {
    const position = Math.max(0, Math.min(seconds, (this.#now.length ?? 0) - 0.1))
    this.#progress()
    this.#reporter?.listening.breaks()
    if (this.#playback) this.#engine.position = position
    this.#set({ position })
    this.#save()
  }

  skip(seconds: number): void {
    if (queues.currentEntry(this.queue)) this.seek(this.#now.position + seconds)
  }

  toggleShuffle(): void {
    this.#change(this.queue.shuffle ? queues.unshuffled(this.queue) : queues.shuffled(this.queue, Math.random))
  }

  turnRepeat(): void {
    const following = { off: 'all', all: 'one', one: 'off' } as const
    this.#change({ ...this.queue, repeat: following[this.queue.repeat] })
  }

  configure(settings: Partial<Settings>): void {
    this.#set(settings)
    const { volume, muted, leveling, bitrate } = this.#now
    writeSettings({ volume, muted, leveling, bitrate })
    this.#engine.audio.volume = volume
    this.#engine.audio.muted = muted
    if ('leveling' in settings) this.#applyGain()
    if ('bitrate' in settings) this.#engine.hold(bitrate ? this.#now.bitrates.indexOf(bitrate) : -1)
  }

  /** Stops and forgets everything: another person may sign in next. */
  reset(): void {
    this.pause()
    this.#close()
    this.#change(queues.EMPTY)
    this.#set({ position: 0, peaks: [], length: null })
    this.#save()
  }

  #goTo(queue: Queue | null): void {
    if (!queue) return
    this.#wanted = true
    this.#set({ queue })
    void this.#open(0)
  }

  #paused(): void {
    if (!this.#playback || this.#engine.audio.ended) return
    this.#wanted = false
    this.#reporter?.listening.passes(this.#engine.position)
    this.#reporter?.pause()
    this.#read()
  }

  #ended(): void {
    this.#reporter?.listening.passes(this.#engine.position)
    const following = queues.afterEnd(this.queue)
    if (following) {
      this.#goTo(following)
      return
    }
    this.#close()
    this.#wanted = false
    this.#set({ position: 0, playing: false, loading: false })
    this.#save()
  }

  /** Starts a playback of the current entry; while no sound is wanted it is only shown. */
  async #open(position: number): Promise<void> {
    this.#close()
    this.#opening += 1
    const opening = this.#opening
    const entry = queues.currentEntry(this.queue)
    const length = entry?.track.seconds ?? null
    this.#set({ position, length, playing: false, loading: this.#wanted && !!entry, peaks: [] })
    this.#save()
    if (!entry || !this.#wanted) return
    try {
      const { playbacks, session } = await listening()
      if (!(await session.token())) {
        this.pause()
        this.#announcer.signInNeeded()
        return
      }
      const playback = await playbacks.startPlayback({ track: entry.track.name, platform: 'WEB' })
      if (opening === this.#opening) await this.#begin(playback, position)
    } catch (error) {
      if (opening !== this.#opening) return
      this.pause()
      await this.#fail(error)
    }
  }

  async #begin(playback: Playback, position: number): Promise<void> {
    const { Reporter } = await listening()
    this.#playback = playback
    this.#reporter = new Reporter(
      playback.name,
      () => this.#now.position,
      () => this.#reopen(),
    )
    this.#applyGain()
    void this.#planRenewal(playback)
    void this.#draw(playback)
    await this.#feed(playback, position)
  }

  async #feed(playback: Playback, position: number): Promise<void> {
    const { abilities, chooseSource } = await listening()
    this.#source = chooseSource(playback, abilities(), this.#refused)
    await this.#engine.load(this.#source, position, () => this.#playback?.mediaToken ?? '')
    if (this.#playback === playback && this.#wanted) await this.#sound()
  }

  async #sound(): Promise<void> {
    // A browser that wants a click first leaves the player paused.
    if (!(await this.#engine.play())) this.pause()
  }

  async #draw(playback: Playback): Promise<void> {
    // A track without a drawing can be heard all the same.
    const peaks = await fetchPeaks(playback.waveformUri, playback.mediaToken).catch(() => [])
    if (this.#playback !== playback) return
    this.#set({ peaks })
    this.#save()
  }

  #close(): void {
    clearTimeout(this.#renewal)
    this.#reporter?.end()
    this.#reporter = null
    if (this.#playback) this.#engine.unload()
    this.#playback = null
    this.#set({ bitrates: [], heardBitrate: 0 })
  }

  /** The server closed the playback in a long pause: a new one goes on at the same place. */
  #reopen(): void {
    this.#reporter = null
    void this.#open(this.#now.position)
  }

  async #planRenewal(playback: Playback): Promise<void> {
    const { serverNow } = await listening()
    clearTimeout(this.#renewal)
    const expires = Number(playback.expireTime?.seconds ?? 0) * 1000
    this.#renewal = setTimeout(() => void this.#renew(), Math.max(expires - serverNow() - RENEW_EARLY_MS, 5_000))
  }

  async #renew(): Promise<void> {
    const playback = this.#playback
    if (!playback) return
    try {
      const { playbacks } = await listening()
      const renewed = await playbacks.renewPlayback({ name: playback.name })
      if (this.#playback !== playback) return
      playback.mediaToken = renewed.mediaToken
      void this.#planRenewal(renewed)
      if (this.#source?.native) await this.#feed(playback, this.#now.position)
      else this.#engine.resumeLoading()
    } catch (error) {
      if (this.#playback !== playback) return
      const { failureOf } = await listening()
      if (failureOf(error).reason === 'PLAYBACK_CLOSED') this.#reopen()
      else await this.#fail(error)
    }
  }

  async #fail(error: unknown): Promise<void> {
    const { failureOf } = await listening()
    this.#announcer.failed(failureOf(error))
  }

  #mediaFailed(decoding: boolean): void {
    const playback = this.#playback
    if (!playback) return
    if (decoding && this.#source?.hasFallback) {
      this.#refused.add(this.#source.codec)
      void this.#feed(playback, this.#now.position)
      return
    }
    this.#close()
    this.pause()
    this.#announcer.failed(null)
  }

  #progress(): void {
    if (!this.#playback || !this.#engine.playing || this.#engine.audio.seeking) return
    this.#reporter?.listening.passes(this.#engine.position)
    this.#set({ position: this.#engine.position })
    if (Date.now() - this.#saved > SAVE_EVERY_MS) this.#save()
  }

  /** Takes over what the engine says. */
  #read(): void {
    if (!this.#playback) return
    const { playing, waiting, length, levels, level } = this.#engine
    if (playing && !waiting && !this.#engine.audio.seeking) {
      // The first moment of a stretch: the next is heard of only a quarter of a second later.
      this.#reporter?.listening.passes(this.#engine.position)
      this.#reporter?.run()
    }
    const bitrates = this.#nominal(levels)
    if (bitrates.length && !this.#now.bitrates.length && this.#now.bitrate) {
      this.#engine.hold(bitrates.indexOf(this.#now.bitrate))
    }
    this.#set({
      playing: playing && !waiting,
      loading: this.#wanted && (waiting || !playing),
      length: length ?? this.#now.length,
      bitrates,
      heardBitrate: bitrates[level] ?? 0,
    })
  }

  /** The round bit rates of the levels, which the playlist gives as peaks. */
  #nominal(levels: number[]): number[] {
    const known = this.#source?.bitrates ?? []
    return known.length === levels.length ? known : levels
  }

  /** Holds for the whole track: what is queued meanwhile does not turn the volume in its midst. */
  #applyGain(): void {
    this.#engine.gain = gain(this.#playback?.loudness, this.#now.leveling, queues.isInAlbum(this.queue))
  }

  /** The page goes away: the playback ends, its place stays. */
  #leave(): void {
    this.#progress()
    this.#save()
    this.#reporter?.end()
  }

  #change(queue: Queue): void {
    this.#set({ queue })
    this.#save()
  }

  #set(changes: Partial<PlayerState>): void {
    this.#now = { ...this.#now, ...changes }
    this.#state.set(this.#now)
  }

  #save(): void {
    this.#saved = Date.now()
    const { queue, position, peaks } = this.#now
    writePlace({ queue, position, peaks })
  }
}
