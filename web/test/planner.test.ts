import { create } from '@bufbuild/protobuf'
import { describe, expect, test } from 'vitest'
import { UploadSchema } from '../src/gen/spotilike/catalog/v1/upload_pb'
import { arrivedBytes, arrivedTags, backOff, isAudio, missingPieces, titleOf } from '../src/upload/planner'

const upload = create(UploadSchema, {
  sizeBytes: 25n,
  partSizeBytes: 10n,
  parts: [
    { number: 3, url: '/uploads/3', sizeBytes: 5n },
    { number: 1, url: '/uploads/1', sizeBytes: 10n },
    { number: 2, sizeBytes: 10n, uploaded: true, etag: 'two' },
  ],
})

describe('an upload', () => {
  test('sends exactly the bytes that are missing', () => {
    expect(missingPieces(upload)).toEqual([
      { number: 1, url: '/uploads/1', from: 0, to: 10 },
      { number: 3, url: '/uploads/3', from: 20, to: 25 },
    ])
  })

  test('counts only what the server has', () => {
    expect(arrivedBytes(upload)).toBe(10)
    expect([...arrivedTags(upload)]).toEqual([[2, 'two']])
  })

  test('waits longer after each failure, and never more than half a minute and a quarter', () => {
    const waits = [1, 2, 3, 4, 5, 6, 20].map((attempt) => backOff(attempt, () => 0.5))
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16000, 30000, 30000])
    expect(backOff(20, () => 1)).toBe(37_500)
  })

  test.each([
    ['01 - Night_drive.final.flac', 'Night drive.final'],
    ['07. Rain.wav', 'Rain'],
    ['1984.ogg', '1984'],
    ['99 Luftballons.mp3', 'Luftballons'],
    ['Песня.m4a', 'Песня'],
    ['.ogg', '.ogg'],
  ])('names the track of %s %s', (filename, title) => {
    expect(titleOf(filename)).toBe(title)
  })

  test('takes audio files by their name', () => {
    expect(['a.FLAC', 'b.ogg', 'c.aiff'].every(isAudio)).toBe(true)
    expect(['cover.jpg', 'notes', 'list.m3u8'].some(isAudio)).toBe(false)
  })
})
