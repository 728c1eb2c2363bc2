import { describe, expect, test } from 'vitest'
import { ErrorReason } from '../src/gen/spotilike/errors/v1/error_reason_pb'
import { en } from '../src/i18n/en'
import type { Message } from '../src/i18n/message'
import { ru } from '../src/i18n/ru'

const english: Record<string, Message> = en
const russian: Record<string, Message> = ru

const files = import.meta.glob<string>(['../src/**/*.{ts,svelte}', '!../src/i18n/{en,ru}{,_failures}.ts'], {
  query: '?raw',
  import: 'default',
  eager: true,
})
const isGenerated = (path: string): boolean => path.includes('/gen/')
const code = Object.entries(files)
  .filter(([path]) => !isGenerated(path))
  .map(([, text]) => text)
  .join('\n')
/** Keys in quotes, and the beginnings of keys that end in something computed. */
const named = new Set([...code.matchAll(/['"]([a-zA-Z]+\.[\w.]+)['"]/g)].map((found) => found[1]!))
const begun = [...code.matchAll(/`([a-zA-Z]+\.[\w.]*)\$\{/g)].map((found) => found[1]!)

const forms = (message: Message): string[] => (typeof message === 'string' ? [message] : Object.values(message))
const placeholders = (text: string): string => [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1]).sort().join()

describe('the dictionaries', () => {
  test('have the same keys', () => {
    expect(Object.keys(russian).sort()).toEqual(Object.keys(english).sort())
  })

  test('hold no message that the page never shows', () => {
    const unused = Object.keys(english).filter((key) => !named.has(key) && !begun.some((start) => key.startsWith(start)))
    expect(unused).toEqual([])
  })

  test('have the same placeholders in every form', () => {
    for (const [key, message] of Object.entries(english)) {
      const wanted = placeholders(forms(message)[0]!)
      for (const form of [...forms(message), ...forms(russian[key]!)]) expect(placeholders(form), key).toBe(wanted)
    }
  })

  test('have the plural forms of their language', () => {
    for (const [language, dictionary] of [['en', english] as const, ['ru', russian] as const]) {
      const wanted = new Intl.PluralRules(language).resolvedOptions().pluralCategories.toSorted()
      for (const [key, message] of Object.entries(dictionary)) {
        if (typeof message !== 'string') expect(Object.keys(message).sort(), `${language} ${key}`).toEqual(wanted)
      }
    }
  })

  test('have a sentence for every reason that the API gives', () => {
    const reasons = Object.values(ErrorReason).filter((reason) => typeof reason === 'string')
    const missing = reasons.filter((reason) => reason !== 'ERROR_REASON_UNSPECIFIED' && !(`error.${reason}` in english))
    expect(reasons.length).toBeGreaterThan(20)
    expect(missing).toEqual([])
  })

  test('have a sentence for every reason why a master is refused', () => {
    // The reasons stand in the comment of Job.reason, which is the contract.
    const contract = files['../src/gen/spotilike/processing/v1/job_pb.ts'] ?? ''
    const listed = /FAILED: ([A-Z_, or]+CANCELLED)/.exec(contract)?.[1]?.match(/[A-Z_]{4,}/g) ?? []
    expect(listed.length).toBeGreaterThan(8)
    expect(listed.filter((reason) => !(`refusal.${reason}` in english))).toEqual([])
  })

  test('have a sentence for every reason why a master should be looked at', () => {
    const contract = files['../src/gen/spotilike/processing/v1/job_pb.ts'] ?? ''
    const listed = [...(/A stable word: ([A-Z_]{4,})/.exec(contract) ?? [])].slice(1)
    expect(listed).toHaveLength(1)
    expect(listed.filter((reason) => !(`warning.${reason}` in english))).toEqual([])
  })
})
