/** Which of a track's manifests this browser plays, and how. */

import { type Playback, Playback_Codec as Codec } from '../gen/spotilike/streaming/v1/playback_pb'

export interface Source {
  codec: Codec
  uri: string
  /** The browser reads HLS itself and cannot send headers: the token stands in the path. */
  native: boolean
  /** Nominal bits a second of its levels, lowest first. */
  bitrates: number[]
  /** Another codec can be tried when this one cannot be decoded. */
  hasFallback: boolean
}

/** What a browser can do; given in tests. */
export interface Abilities {
  mediaSource: boolean
  opus: boolean
  nativeHls: boolean
}

export function abilities(): Abilities {
  const source = (globalThis as { ManagedMediaSource?: typeof MediaSource }).ManagedMediaSource ?? globalThis.MediaSource
  return {
    mediaSource: source !== undefined,
    opus: source?.isTypeSupported('audio/mp4; codecs="opus"') ?? false,
    nativeHls: new Audio().canPlayType('application/vnd.apple.mpegurl') !== '',
  }
}

/** Chooses Opus where Media Source Extensions take it, otherwise AAC. `refused` rules out what has failed before. */
export function chooseSource(playback: Playback, able: Abilities, refused: ReadonlySet<Codec> = new Set()): Source {
  const opus = playback.manifests.find(({ codec }) => codec === Codec.OPUS)
  if (opus && able.mediaSource && able.opus && !refused.has(Codec.OPUS)) {
    return { codec: Codec.OPUS, uri: opus.uri, native: false, bitrates: bitrates(playback, Codec.OPUS), hasFallback: true }
  }
  return {
    codec: Codec.AAC,
    uri: playback.manifestUri,
    native: isNative(able),
    bitrates: bitrates(playback, Codec.AAC),
    hasFallback: false,
  }
}

/** Describes the playlist of a master that is being processed: AAC, of one bit rate. */
export function previewSource(uri: string, able: Abilities): Source {
  return { codec: Codec.AAC, uri, native: isNative(able), bitrates: [], hasFallback: false }
}

/** Whether only the browser itself reads HLS. */
const isNative = (able: Abilities): boolean => !able.mediaSource && able.nativeHls

function bitrates(playback: Playback, wanted: Codec): number[] {
  const found = playback.renditions.filter(({ codec }) => codec === wanted).map(({ bitrateBps }) => bitrateBps)
  return found.sort((a, b) => a - b)
}
