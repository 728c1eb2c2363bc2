import { beforeAll, describe, expect, test } from 'vitest'
import type { Failure } from '../src/api/failure'
import { speak, t } from '../src/i18n/index.svelte'
import { fieldSentence, sentence } from '../src/i18n/sentences'

const failure = (reason: string, fields: Failure['fields'] = []): Failure => ({
  reason,
  message: 'What the server says.',
  metadata: {},
  fields,
  retryMs: 0,
  errorId: '',
})
const EMAIL = { field: 'user.email', description: 'must be a valid address' }
const BIO = { field: 'artist.bio', description: 'is too long' }

beforeAll(() => speak('en'))

describe('what a form says', () => {
  test('puts a rule that was broken into words at its field', () => {
    expect(fieldSentence(failure('INVALID_FIELDS', [EMAIL]), 'email')).toBe(t('field.email'))
  })

  test('falls back to the words of the server', () => {
    expect(fieldSentence(failure('INVALID_FIELDS', [BIO]), 'bio')).toBe('is too long')
  })

  test('puts a reason that is about one field there', () => {
    expect(fieldSentence(failure('USERNAME_TAKEN'), 'username')).toBe(t('error.USERNAME_TAKEN'))
    expect(fieldSentence(failure('USERNAME_TAKEN'), 'email')).toBe('')
  })

  test('does not say again what stands at a field', () => {
    expect(sentence(failure('USERNAME_TAKEN'), new Set(['username']))).toBe('')
    expect(sentence(failure('INVALID_FIELDS', [EMAIL, BIO]), new Set(['email']))).toBe(
      `${t('error.INVALID_FIELDS')} artist.bio: is too long`,
    )
  })

  test('leaves nothing out where no field shows it', () => {
    expect(sentence(failure('INVALID_FIELDS', [EMAIL]))).toContain('user.email: must be a valid address')
  })

  test('gives the words of the server for a reason that is new', () => {
    expect(sentence(failure('BRAND_NEW'))).toBe('What the server says.')
  })
})
