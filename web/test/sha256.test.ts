import { expect, test } from 'vitest'
import { Sha256 } from '../src/upload/sha256'

const bytesOf = (length: number): Uint8Array<ArrayBuffer> => Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 255)

async function ofSystem(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

test.each([0, 1, 55, 56, 63, 64, 65, 119, 120, 1000, 70_001])('the digest of %i bytes is the one of the system', async (length) => {
  const bytes = bytesOf(length)
  expect(new Sha256().update(bytes).digest()).toBe(await ofSystem(bytes))
})

test('the digest does not depend on how the bytes come', async () => {
  const bytes = bytesOf(5000)
  const hash = new Sha256()
  for (let at = 0, step = 1; at < bytes.length; at += step, step = (step * 7) % 301) hash.update(bytes.subarray(at, at + step))
  expect(hash.digest()).toBe(await ofSystem(bytes))
})
