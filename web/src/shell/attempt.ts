/** What people ask for, and what to tell them when it does not work. */

import { type Failure, failureOf } from '../api/failure'
import { sentence } from '../i18n/sentences'
import { complain } from './toasts'

export function sayFailure(failure: Failure): void {
  complain(sentence(failure), failure.errorId)
}

/** Runs what a person asked for; when it fails, says why. Returns whether it worked. */
export async function attempt(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work()
    return true
  } catch (error) {
    sayFailure(failureOf(error))
    return false
  }
}
