import { describe, expect, test } from 'vitest'
import { tokenOf } from '../src/account/mailed_link'

describe('the link of a mail', () => {
  test.each([
    ['#token=abc-DEF_123', 'abc-DEF_123'],
    ['#other=1&token=abc', 'abc'],
    ['', ''],
    ['#', ''],
    ['#main', ''],
    ['#token=', ''],
  ])('carries its token in the fragment %s', (fragment, token) => {
    expect(tokenOf(fragment)).toBe(token)
  })
})
