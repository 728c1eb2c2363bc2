/** What to tell people about a failure: a sentence that says what to do. */

import type { Failure } from '../api/failure'
import { hasMessage, t } from './index.svelte'

export function sentence(failure: Failure): string {
  const key = `error.${failure.reason}`
  const text = hasMessage(key) ? t(key, failure.metadata) : failure.message || t('error.UNKNOWN')
  const fields = failure.fields.map(({ field, description }) => `${field}: ${description}`)
  return [text, ...fields].join(' ')
}

/** Why a master could not be used, from the stable reason of its job. */
export function refusal(reason: string, message: string): string {
  const key = `refusal.${reason}`
  return hasMessage(key) ? t(key) : message || t('refusal.ENCODER_CRASHED')
}
