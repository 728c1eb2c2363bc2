/** A text with {placeholders}, or its forms by the plural category of {n} (CLDR). */
export type Message = string | Partial<Record<Intl.LDMLPluralRule, string>>
