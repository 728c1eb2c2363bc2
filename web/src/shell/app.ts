/** The one player of the page, and what it says to the people. */

import { t } from '../i18n/index.svelte'
import { connectMediaSession } from '../player/media_session'
import { Player } from '../player/player'
import { go, signInPath } from './navigation'
import { complain } from './toasts'

/** The way to the server: it is on its way while the frame of the page is shown already. */
const api = () => import('../api')

export const player = new Player({
  failed: async (failure) => {
    if (!failure) complain(t('player.failed'))
    else (await import('./attempt')).sayFailure(failure)
  },
  signInNeeded: () => go(signInPath()),
})

/** Starts what lives as long as the page. */
export async function start(): Promise<void> {
  connectMediaSession(player)
  await (await api()).session.restore()
}

/** Signs this device out. Only the server can take the cookie away, so nobody is told that they are out before it is. */
export async function signOut(): Promise<void> {
  const { session, sessions } = await api()
  const { attempt } = await import('./attempt')
  player.reset()
  const isOver = await attempt(async () => {
    // Nobody is signed in any more where the session was ended elsewhere.
    if (await session.token()) await sessions.revokeSession({ name: session.name })
  })
  if (!isOver) return
  session.forget()
  go('/')
}
