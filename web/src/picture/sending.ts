/** Sends a picture and waits until its sizes are made. */

import { artworks } from '../api/artworks'
import { type Failure, failureOf } from '../api/failure'
import { Artwork_State as State } from '../gen/spotilike/catalog/v1/artwork_pb'
import { PutError, put } from '../upload/put'

/** The size by which pictures are named everywhere, in pixels. */
const SHOWN_PX = 640
const ASK_AGAIN_MS = 500

/** The picture arrived and cannot be used. `reason` is stable, the message is the server's. */
export class PictureRefused extends Error {
  constructor(
    readonly reason: string,
    message: string,
  ) {
    super(message)
  }
}

/**
 * Makes `file` the picture of `target` and returns the path at which it is shown.
 *
 * `sent` hears which part of the file has left, from 0 to 1. Throws PictureRefused, or what a failed call throws.
 */
export async function sendPicture(
  target: string,
  file: Blob,
  sent: (share: number) => void,
  signal: AbortSignal,
): Promise<string> {
  const requestId = crypto.randomUUID?.() ?? ''
  const { name, url } = await artworks.createArtwork({ target, sizeBytes: BigInt(file.size), requestId }, { signal })
  // A slice has no type of its own: what the file is, its content says.
  const etag = await put(url, file.slice(), (bytes) => sent(bytes / file.size), signal)
  let artwork = await artworks.completeArtwork({ name, etag }, { signal })
  while (artwork.state === State.PROCESSING) {
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS))
    artwork = await artworks.getArtwork({ name }, { signal })
  }
  const { failure } = artwork
  if (failure) throw new PictureRefused(failure.reason, failure.message)
  return artwork.images.find(({ sizePx }) => sizePx === SHOWN_PX)?.webpUri ?? ''
}

/** Makes the picture inside a master the cover of an album. Throws what sendPicture throws. */
export async function sendCoverOf(uri: string, album: string, signal: AbortSignal): Promise<void> {
  const response = await fetch(uri, { signal })
  if (!response.ok) throw new PictureRefused('NOT_KEPT', '')
  await sendPicture(album, await response.blob(), () => undefined, signal)
}

/** Describes what sendPicture threw when it was no refusal. */
export function describe(error: unknown): Failure {
  const failure = failureOf(error)
  return error instanceof PutError ? { ...failure, reason: 'NETWORK' } : failure
}
