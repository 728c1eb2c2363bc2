import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { describe, expect, test } from 'vitest'
import { readBadRequest, readErrorInfo, readRetryInfo } from '../src/api/details'

const message = (fields: Record<number, Uint8Array>): Uint8Array => {
  const writer = new BinaryWriter()
  for (const [number, bytes] of Object.entries(fields)) writer.tag(Number(number), WireType.LengthDelimited).bytes(bytes)
  return writer.finish()
}
const text = (words: string): Uint8Array => new TextEncoder().encode(words)
const duration = (seconds: number, nanos: number): Uint8Array =>
  new BinaryWriter().tag(1, WireType.Varint).int64(seconds).tag(2, WireType.Varint).int32(nanos).finish()

describe('the details of a failed call', () => {
  test('say the reason and what it is about', () => {
    const metadata = message({ 1: text('artist'), 2: text('artists/1') })
    const bytes = message({ 1: text('LAST_MANAGER'), 2: text('spotilike.dev'), 3: metadata })
    expect(readErrorInfo(bytes)).toEqual({ reason: 'LAST_MANAGER', metadata: { artist: 'artists/1' } })
  })

  test('name the fields that broke a rule', () => {
    const bytes = message({ 1: message({ 1: text('user.email'), 2: text('must be an address') }) })
    expect(readBadRequest(bytes)).toEqual([{ field: 'user.email', description: 'must be an address' }])
  })

  test('say when to come back, to the millisecond', () => {
    expect(readRetryInfo(message({ 1: duration(42, 500_000_000) }))).toBe(42_500)
  })

  test('say nothing about coming back where there is nothing', () => {
    expect(readRetryInfo(new Uint8Array())).toBe(0)
  })
})
