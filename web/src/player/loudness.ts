/** How much louder or softer a track is played, from what was measured (EBU R 128). */

import type { Playback_Loudness } from '../gen/spotilike/streaming/v1/playback_pb'

/** Where players of streams meet, in LUFS. */
const TARGET_LUFS = -14
/** The loudest a decoded peak may get, in dBTP: lossy codecs overshoot. */
const CEILING_DBTP = -1

/**
 * What is made equally loud: each track; each album, whose tracks keep their differences; what fits the queue; or nothing.
 */
export type Leveling = 'auto' | 'track' | 'album' | 'off'
export const LEVELINGS: readonly Leveling[] = ['auto', 'track', 'album', 'off']

type Measured = Pick<Playback_Loudness, 'integratedLufs' | 'truePeakDbtp' | 'albumIntegratedLufs'>

/**
 * Returns the factor for the samples; 1 when the track was not measured or is silent.
 *
 * `isInAlbum` says whether the queue plays an album, for `auto`. An album that was not measured leaves it to the track.
 */
export function gain(measured: Measured | undefined, leveling: Leveling, isInAlbum: boolean): number {
  if (!measured || leveling === 'off') return 1
  const { truePeakDbtp, albumIntegratedLufs } = measured
  const isOfAlbum = leveling === 'album' || (leveling === 'auto' && isInAlbum)
  const integratedLufs = (isOfAlbum ? albumIntegratedLufs : undefined) ?? measured.integratedLufs
  if (integratedLufs === undefined || truePeakDbtp === undefined) return 1
  const decibels = Math.min(TARGET_LUFS - integratedLufs, CEILING_DBTP - truePeakDbtp)
  return 10 ** (decibels / 20)
}
