/** What to tell people about a failure: a sentence that says what to do. */

import type { Failure } from '../api/failure'
import { hasMessage, t } from './index.svelte'

/** Reasons that are about one field of the form. */
const FIELD_OF_REASON: Record<string, string> = {
  EMAIL_TAKEN: 'email',
  USERNAME_TAKEN: 'username',
  USER_NOT_FOUND: 'username',
  PASSWORD_WRONG: 'password',
}

const NONE: ReadonlySet<string> = new Set()

/** `user.email` is the field `email`. */
const lastPart = (path: string): string => path.slice(path.lastIndexOf('.') + 1)

/** Says why a call failed, without what stands at the fields `shownAtFields` already. */
export function sentence(failure: Failure, shownAtFields = NONE): string {
  if (shownAtFields.has(FIELD_OF_REASON[failure.reason] ?? '')) return ''
  const fields = failure.fields
    .filter(({ field }) => !shownAtFields.has(lastPart(field)))
    .map(({ field, description }) => `${field}: ${description}`)
  return [reasonSentence(failure), ...fields].join(' ')
}

/** Says what is wrong with a field, by the last part of its path in the request; empty when nothing is. */
export function fieldSentence(failure: Failure, name: string): string {
  if (FIELD_OF_REASON[failure.reason] === name) return reasonSentence(failure)
  const violation = failure.fields.find(({ field }) => lastPart(field) === name)
  if (!violation) return ''
  const key = `field.${name}`
  return hasMessage(key) ? t(key) : violation.description
}

function reasonSentence({ reason, message, metadata }: Failure): string {
  const key = `error.${reason}`
  return hasMessage(key) ? t(key, metadata) : message || t('error.UNKNOWN')
}

/** Why a picture could not be used, from a stable reason. */
export function pictureRefusal(reason: string, message: string): string {
  const key = `pictureRefusal.${reason}`
  return hasMessage(key) ? t(key) : message || t('pictureRefusal.ENCODER_CRASHED')
}

/** What the artist should look at, from the stable reason of a warning. */
export function warningSentence(reason: string, message: string): string {
  const key = `warning.${reason}`
  return hasMessage(key) ? t(key) : message
}

/** Why a master could not be used, from the stable reason of its job. */
export function refusal(reason: string, message: string): string {
  const key = `refusal.${reason}`
  return hasMessage(key) ? t(key) : message || t('refusal.ENCODER_CRASHED')
}
