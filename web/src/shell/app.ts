/** The one player of the page, and what it says to the people. */

import { get } from 'svelte/store'
import { session, sessions } from '../api'
import { t } from '../i18n/index.svelte'
import { connectMediaSession } from '../player/media_session'
import { Player } from '../player/player'
import { go, signInPath } from './navigation'
import { complain, sayFailure } from './toasts'

export const { user } = session

export const player = new Player({
  failed: (failure) => (failure ? sayFailure(failure) : complain(t('player.failed'))),
  signInNeeded: () => go(signInPath()),
})

/** Starts what lives as long as the page. */
export function start(): void {
  connectMediaSession(player)
  void session.restore()
}

/** Signs out here; what the server does not hear of dies with its tokens. */
export async function signOut(): Promise<void> {
  const { name } = session
  player.reset()
  if (get(user) && name) await sessions.revokeSession({ name }).catch(() => undefined)
  session.forget()
  go('/')
}
