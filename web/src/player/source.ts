/** Which of a track's manifests this browser plays, and how. */

import { type Playback, Playback_Codec as Codec } from '../gen/spotilike/streaming/v1/playback_pb'

export interface Source {
  codec: Codec
  uri: string
  /** The browser reads HLS itself and cannot send headers: the token stands in the path. */
  native: boolean
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

/** Chooses Opus where Media Source Extensions take it, otherwise AAC. `only` rules out what has failed before. */
export function chooseSource(playback: Playback, able: Abilities, refused: ReadonlySet<Codec> = new Set()): Source {
  const opus = playback.manifests.find(({ codec }) => codec === Codec.OPUS)
  if (opus && able.mediaSource && able.opus && !refused.has(Codec.OPUS)) {
    return { codec: Codec.OPUS, uri: opus.uri, native: false }
  }
  return { codec: Codec.AAC, uri: playback.manifestUri, native: !able.mediaSource && able.nativeHls }
}

/** Returns the path form of a media address, `/media/{token}/audio/…`, from which relative addresses inherit the token. */
export function withToken(uri: string, mediaToken: string): string {
  return uri.replace(/^\/media\//, `/media/${mediaToken}/`)
}
