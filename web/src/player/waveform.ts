/** The drawing of a track, in the JSON form of BBC audiowaveform (version 2): `data` holds minimum, maximum, … */

interface Document {
  bits: number
  length: number
  data: number[]
}

/** The largest excursion of each point, 0 to 1. */
export type Peaks = readonly number[]

/** Reads a waveform; the loudest point becomes 1, so that quiet tracks have a shape too. */
export function peaksOf(document: Document): Peaks {
  const peaks = Array.from({ length: document.length }, (_, i) =>
    Math.max(Math.abs(document.data[2 * i] ?? 0), Math.abs(document.data[2 * i + 1] ?? 0)),
  )
  const loudest = peaks.reduce((most, peak) => Math.max(most, peak), 1)
  return peaks.map((peak) => peak / loudest)
}

/** Takes `count` bars out of the peaks, each the mean of its points: maxima of music are all alike. */
export function bars(peaks: Peaks, count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    const from = Math.floor((i * peaks.length) / count)
    const points = peaks.slice(from, Math.max(from + 1, Math.floor(((i + 1) * peaks.length) / count)))
    return points.reduce((sum, peak) => sum + peak, 0) / Math.max(points.length, 1)
  })
}

/** Fetches the waveform of a playback. */
export async function fetchPeaks(uri: string, mediaToken: string): Promise<Peaks> {
  const answer = await fetch(uri, { headers: { 'X-Media-Token': mediaToken } })
  if (!answer.ok) throw new Error(`the waveform answers ${answer.status}`)
  return peaksOf((await answer.json()) as Document)
}
