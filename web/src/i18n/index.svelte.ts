/** The words of the page, in the language of the browser or the one chosen here; only its dictionary is loaded. */

import type { en } from './en'
import type { Message } from './message'

export type Language = 'en' | 'ru'
export type MessageKey = keyof typeof en
export type Params = Record<string, string | number>

type Dictionary = Record<MessageKey, Message>

export const LANGUAGES: readonly { code: Language; name: string }[] = [
  { code: 'en', name: 'English' },
  { code: 'ru', name: 'Русский' },
]

const STORAGE_KEY = 'spotilike.language'
const DICTIONARIES: Record<Language, () => Promise<Dictionary>> = {
  en: async () => (await import('./en')).en,
  ru: async () => (await import('./ru')).ru,
}

let current = $state.raw<{ language: Language; words: Dictionary }>()

/** The language that was chosen here, or the first of the browser's that this page speaks. */
export function preferredLanguage(): Language {
  const wanted = [localStorage.getItem(STORAGE_KEY) ?? '', ...navigator.languages].map((tag) => tag.slice(0, 2))
  return wanted.find((tag): tag is Language => tag === 'en' || tag === 'ru') ?? 'en'
}

/** Loads a language and shows the page in it. */
export async function speak(language: Language): Promise<void> {
  current = { language, words: await DICTIONARIES[language]() }
}

export async function chooseLanguage(chosen: Language): Promise<void> {
  await speak(chosen)
  localStorage.setItem(STORAGE_KEY, chosen)
}

export function language(): Language {
  return current?.language ?? 'en'
}

export function hasMessage(key: string): key is MessageKey {
  return current !== undefined && key in current.words
}

/** Returns a message in the current language. */
export function t(key: MessageKey, params: Params = {}): string {
  const message = current?.words[key] ?? key
  const text = typeof message === 'string' ? message : plural(message, Number(params.n ?? 0))
  return text.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = params[name] ?? ''
    return typeof value === 'number' ? value.toLocaleString(language()) : value
  })
}

function plural(forms: Partial<Record<Intl.LDMLPluralRule, string>>, n: number): string {
  return forms[new Intl.PluralRules(language()).select(n)] ?? forms.other ?? ''
}
