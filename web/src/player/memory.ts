/** What the player remembers over a reload, in this browser. */

import type { Leveling } from './loudness'
import { EMPTY, type Queue } from './queue'
import type { Peaks } from './waveform'

export interface Settings {
  /** 0 to 1. */
  volume: number
  muted: boolean
  leveling: Leveling
  /** Wanted bits a second; 0 lets the network decide. */
  bitrate: number
}

export interface Place {
  queue: Queue
  /** Seconds in the current entry. */
  position: number
  /** The drawing of the current entry; empty when it is not known. */
  peaks: Peaks
}

const SETTINGS = 'spotilike.player'
const PLACE = 'spotilike.queue'
/** Of the next version that stores something else under these keys. */
const VERSION = 2

const DEFAULTS: Settings = { volume: 0.8, muted: false, leveling: 'auto', bitrate: 0 }
const NOWHERE: Place = { queue: EMPTY, position: 0, peaks: [] }

function read<T>(key: string, fallback: T): T {
  try {
    const stored = JSON.parse(localStorage.getItem(key) ?? 'null') as (Partial<T> & { version: number }) | null
    return stored?.version === VERSION ? { ...fallback, ...stored } : fallback
  } catch {
    return fallback
  }
}

function write(key: string, value: object): void {
  try {
    localStorage.setItem(key, JSON.stringify({ version: VERSION, ...value }))
  } catch {
    // A full or forbidden storage costs the memory of the place, nothing else.
  }
}

export const readSettings = () => read(SETTINGS, DEFAULTS)
export const writeSettings = (settings: Settings) => write(SETTINGS, settings)
export const readPlace = () => read(PLACE, NOWHERE)
export const writePlace = (place: Place) =>
  write(PLACE, { ...place, peaks: place.peaks.map((peak) => Math.round(peak * 100) / 100) })
export const forgetPlace = () => localStorage.removeItem(PLACE)
