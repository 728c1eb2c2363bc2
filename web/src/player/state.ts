/** Everything that is shown of the player. */

import { type Settings, readPlace, readSettings } from './memory'
import { type Queue, currentEntry } from './queue'
import type { Peaks } from './waveform'

export interface PlayerState extends Settings {
  queue: Queue
  playing: boolean
  /** The listener wants sound, and it is being fetched. */
  loading: boolean
  /** Seconds. */
  position: number
  /** Seconds; null until it is known. */
  length: number | null
  peaks: Peaks
  /** Bit rates that can be chosen for this track, in bits a second. */
  bitrates: number[]
  /** The one that is heard; 0 when it is not known. */
  heardBitrate: number
}

/** Returns the state in which the last visit left the player, paused. */
export function restoredState(): PlayerState {
  const { queue, position, peaks } = readPlace()
  return {
    ...readSettings(),
    queue,
    position,
    peaks,
    playing: false,
    loading: false,
    length: currentEntry(queue)?.track.seconds ?? null,
    bitrates: [],
    heardBitrate: 0,
  }
}
