import { describe, expect, test } from 'vitest'
import { en } from '../src/i18n/en'
import { type Actions, SHORTCUTS } from '../src/keys/shortcuts'

const key = (code: string, more: object = {}): KeyboardEvent =>
  ({ code, key: code, shiftKey: false, ...more }) as unknown as KeyboardEvent

function pressed(event: KeyboardEvent): string[] {
  const calls: string[] = []
  const record = new Proxy({} as Actions, { get: (_, name) => (...values: unknown[]) => calls.push([name, ...values].join(' ')) })
  SHORTCUTS.filter((each) => each.matches(event)).forEach((each) => each.run(record))
  return calls
}

describe('the keys', () => {
  test.each([
    ['Space', {}, 'toggle'],
    ['KeyJ', {}, 'next'],
    ['KeyK', {}, 'previous'],
    ['ArrowRight', {}, 'skip 10'],
    ['ArrowLeft', {}, 'skip -10'],
    ['ArrowRight', { shiftKey: true }, 'next'],
    ['ArrowLeft', { shiftKey: true }, 'previous'],
    ['KeyM', {}, 'mute'],
    ['Slash', { shiftKey: true, key: '?' }, 'help'],
    ['KeyJ', { key: 'о' }, 'next'],
  ])('%s %o does one thing: %s', (code, more, wanted) => {
    expect(pressed(key(code, more))).toEqual([wanted])
  })

  test('are all in the list that ? shows', () => {
    for (const { label, shown } of SHORTCUTS) {
      expect(label in en).toBe(true)
      expect(shown.length).toBeGreaterThan(0)
    }
  })
})
