/** Computes the digest of a file off the page's thread. */

import { Sha256 } from './sha256'

/** Bytes read at a time. */
const CHUNK = 4 * 1024 * 1024

async function digest(file: File): Promise<string> {
  const hash = new Sha256()
  for (let at = 0; at < file.size; at += CHUNK) {
    hash.update(new Uint8Array(await file.slice(at, at + CHUNK).arrayBuffer()))
  }
  return hash.digest()
}

addEventListener('message', ({ data }: MessageEvent<File>) => {
  digest(data).then(
    (sha256) => postMessage({ sha256 }),
    // The file was moved or changed meanwhile; the parts will not be readable either.
    () => postMessage({ sha256: '' }),
  )
})
