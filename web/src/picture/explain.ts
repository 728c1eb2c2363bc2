/** Tells people why a picture was not taken. */

import { pictureRefusal } from '../i18n/sentences'
import { sayFailure } from '../shell/attempt'
import { complain } from '../shell/toasts'
import { PictureRefused, describe } from './sending'

export function explain(error: unknown): void {
  if (error instanceof PictureRefused) complain(pictureRefusal(error.reason, error.message))
  else sayFailure(describe(error))
}
