/** Knows a file again after a reload, when only the person can give it back to the page. */

import { Sha256 } from './sha256'

/** Bytes that are looked at, at each end of the file. */
const SAMPLE = 128 * 1024

/** Returns the same text for the same content, whatever the file is called. */
export async function fingerprint(file: File): Promise<string> {
  const ends = [file.slice(0, SAMPLE), file.slice(Math.max(0, file.size - SAMPLE))]
  const hash = new Sha256()
  for (const end of ends) hash.update(new Uint8Array(await end.arrayBuffer()))
  return `${file.size}-${hash.digest()}`
}

/** Returns the SHA-256 of the whole file in hexadecimal; empty when it could not be read. */
export function wholeDigest(file: File): { sha256: Promise<string>; cancel: () => void } {
  const worker = new Worker(new URL('./sha256.worker.ts', import.meta.url), { type: 'module' })
  const sha256 = new Promise<string>((resolve) => {
    worker.onmessage = ({ data }: MessageEvent<{ sha256: string }>) => resolve(data.sha256)
    worker.onerror = () => resolve('')
  }).finally(() => worker.terminate())
  worker.postMessage(file)
  return { sha256, cancel: () => worker.terminate() }
}
