import { describe, expect, test } from 'vitest'
import { LIMIT_BYTES, objection } from '../src/picture/acceptance'
import { sizesOf } from '../src/ui/sizes'

describe('the sizes of a picture', () => {
  test('are offered for pictures of the platform', () => {
    expect(sizesOf('/images/a1/640.webp')).toBe(
      '/images/a1/64.webp 64w, /images/a1/300.webp 300w, /images/a1/640.webp 640w, /images/a1/1500.webp 1500w',
    )
  })

  test.each(['blob:http://127.0.0.1/1', '/images/a1/640.jpg', ''])('are not made up for %s', (uri) => {
    expect(sizesOf(uri)).toBeUndefined()
  })
})

describe('a file that is chosen as a picture', () => {
  test.each([
    ['image/png', LIMIT_BYTES, ''],
    ['image/jpeg', 1, ''],
    ['image/webp', 1, ''],
    ['image/gif', 1, 'UNSUPPORTED_FORMAT'],
    ['', 1, 'UNSUPPORTED_FORMAT'],
    ['image/png', LIMIT_BYTES + 1, 'TOO_LARGE'],
  ])('%s of %d bytes: "%s"', (type, size, reason) => {
    expect(objection({ type, size })).toBe(reason)
  })
})
