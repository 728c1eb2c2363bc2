/** Lets artists hear what is encoded already of a master that is still being processed. One is heard at a time. */

import { type Readable, get, writable } from 'svelte/store'
import type { Job } from '../gen/spotilike/processing/v1/job_pb'
import { t } from '../i18n/index.svelte'
import { Engine } from '../player/engine'
import { abilities, previewSource } from '../player/source'
import type { PlayerState } from '../player/state'
import { player } from '../shell/app'
import { complain } from '../shell/toasts'

export interface PreviewState {
  /** `jobs/{job}`; empty while nothing is heard. */
  job: string
  /** The playlist: each attempt of a job has its own. */
  uri: string
  /** Seconds. */
  position: number
}

const SILENT: PreviewState = { job: '', uri: '', position: 0 }
/** The address is the secret. */
const NO_TOKEN = () => ''

class Preview {
  readonly state: Readable<PreviewState>
  readonly #state = writable(SILENT)
  readonly #engine = new Engine({
    progressed: () => this.#state.update((now) => ({ ...now, position: this.#engine.position })),
    changed: () => undefined,
    paused: () => undefined,
    stalled: () => undefined,
    ended: () => this.stop(),
    unauthorized: () => this.#fail(),
    failed: () => this.#fail(),
  })

  constructor() {
    this.state = this.#state
    player.state.subscribe((state) => this.#giveWay(state))
  }

  /** Plays from the beginning, and on while more is encoded. */
  async play({ name, previewUri }: Job): Promise<void> {
    player.pause()
    this.#state.set({ job: name, uri: previewUri, position: 0 })
    await this.#engine.load(previewSource(previewUri, abilities()), 0, NO_TOKEN)
    if (get(this.#state).uri === previewUri) await this.#engine.play()
    else this.#engine.unload()
  }

  stop(): void {
    this.#state.set(SILENT)
    this.#engine.unload()
  }

  /** Is as loud as the player, and silent as soon as that plays. */
  #giveWay({ playing, volume, muted }: PlayerState): void {
    if (playing && get(this.#state).job) this.stop()
    this.#engine.audio.volume = volume
    this.#engine.audio.muted = muted
  }

  #fail(): void {
    this.stop()
    complain(t('preview.failed'))
  }
}

export const preview = new Preview()
