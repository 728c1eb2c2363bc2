/** How much louder or softer a track is played, from what was measured (EBU R 128). */

/** Where players of streams meet, in LUFS. */
const TARGET_LUFS = -14
/** The loudest a decoded peak may get, in dBTP: lossy codecs overshoot. */
const CEILING_DBTP = -1

/** Returns the factor for the samples; 1 when the track was not measured or is silent. */
export function gain(integratedLufs: number | undefined, truePeakDbtp: number | undefined): number {
  if (integratedLufs === undefined || truePeakDbtp === undefined) return 1
  const decibels = Math.min(TARGET_LUFS - integratedLufs, CEILING_DBTP - truePeakDbtp)
  return 10 ** (decibels / 20)
}
