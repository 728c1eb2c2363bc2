/** The words of the page, in the language of the browser or the one chosen here. */

import { en } from './en'
import { type Message } from './message'
import { ru } from './ru'

export type Language = 'en' | 'ru'
export type MessageKey = keyof typeof en
export type Params = Record<string, string | number>

export const LANGUAGES: readonly { code: Language; name: string }[] = [
  { code: 'en', name: 'English' },
  { code: 'ru', name: 'Русский' },
]

const STORAGE_KEY = 'spotilike.language'
const DICTIONARIES: Record<Language, Record<MessageKey, Message>> = { en, ru }

let current = $state<Language>(preferred())

/** The first language of the browser that this page speaks, unless one was chosen. */
function preferred(): Language {
  const wanted = [localStorage.getItem(STORAGE_KEY) ?? '', ...navigator.languages].map((tag) => tag.slice(0, 2))
  return wanted.find((tag): tag is Language => tag === 'en' || tag === 'ru') ?? 'en'
}

export function language(): Language {
  return current
}

export function chooseLanguage(chosen: Language): void {
  current = chosen
  localStorage.setItem(STORAGE_KEY, chosen)
}

export function hasMessage(key: string): key is MessageKey {
  return key in en
}

/** Returns a message in the current language. */
export function t(key: MessageKey, params: Params = {}): string {
  const message = DICTIONARIES[current][key]
  const text = typeof message === 'string' ? message : plural(message, Number(params.n ?? 0))
  return text.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = params[name] ?? ''
    return typeof value === 'number' ? value.toLocaleString(current) : value
  })
}

function plural(forms: Partial<Record<Intl.LDMLPluralRule, string>>, n: number): string {
  return forms[new Intl.PluralRules(current).select(n)] ?? forms.other ?? ''
}
