/** Which bytes of a file go where, and how far they are: plain sums, without the network. */

import type { Upload } from '../gen/spotilike/catalog/v1/upload_pb'

export interface Piece {
  /** From 1. */
  number: number
  /** Path and query of the PUT, at the page's origin. */
  url: string
  /** The bytes, from inclusive and to exclusive. */
  from: number
  to: number
}

/** Returns the parts that have not arrived yet, first bytes first. */
export function missingPieces(upload: Upload): Piece[] {
  const partSize = Number(upload.partSizeBytes)
  return upload.parts
    .filter((part) => !part.uploaded)
    .map((part) => {
      const from = (part.number - 1) * partSize
      return { number: part.number, url: part.url, from, to: from + Number(part.sizeBytes) }
    })
    .sort((a, b) => a.number - b.number)
}

/** Returns how many bytes the server has. */
export function arrivedBytes(upload: Upload): number {
  return upload.parts.filter(({ uploaded }) => uploaded).reduce((sum, { sizeBytes }) => sum + Number(sizeBytes), 0)
}

/** Returns the entity tags of the parts that have arrived. */
export function arrivedTags(upload: Upload): Map<number, string> {
  return new Map(upload.parts.filter(({ uploaded }) => uploaded).map(({ number, etag }) => [number, etag]))
}

/** How often a part is tried before the upload stops and says so. */
export const TRIES = 6

/** Returns how long to wait before try `attempt` (from 1), in milliseconds: 1 s doubled up to 30 s, spread by a quarter. */
export function backOff(attempt: number, random: () => number = Math.random): number {
  return Math.min(1000 * 2 ** (attempt - 1), 30_000) * (0.75 + random() / 2)
}

/** Names a track after its file: `01 - Night_drive.final.flac` is "Night drive.final". */
export function titleOf(filename: string): string {
  const stem = filename.replace(/\.[^.]+$/, '').replaceAll('_', ' ')
  const bare = stem.replace(/^\s*\d{1,3}\s*[-–—.)]?\s+/, '').replace(/\s+/g, ' ').trim()
  return (bare || stem.trim() || filename).slice(0, 150)
}

/** The formats that are offered for choosing; the content decides in the end. */
export const EXTENSIONS = ['flac', 'wav', 'ogg', 'oga', 'opus', 'mp3', 'm4a', 'aac', 'aif', 'aiff'] as const

export function isAudio(filename: string): boolean {
  const extension = filename.split('.').pop()?.toLowerCase() ?? ''
  return (EXTENSIONS as readonly string[]).includes(extension)
}
