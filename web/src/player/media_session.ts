/** Keys of keyboards, headphones and lock screens (Media Session API). */

import type { Player } from './player'
import { currentEntry } from './queue'

export function connectMediaSession(player: Player, session: MediaSession | undefined = navigator.mediaSession): void {
  if (!session) return
  session.setActionHandler('play', () => player.resume())
  session.setActionHandler('pause', () => player.pause())
  session.setActionHandler('nexttrack', () => player.next())
  session.setActionHandler('previoustrack', () => player.previous())
  session.setActionHandler('seekto', ({ seekTime }) => player.seek(seekTime ?? 0))
  session.setActionHandler('seekforward', ({ seekOffset }) => player.skip(seekOffset ?? 10))
  session.setActionHandler('seekbackward', ({ seekOffset }) => player.skip(-(seekOffset ?? 10)))

  let shown = ''
  player.state.subscribe((state) => {
    const entry = currentEntry(state.queue)
    session.playbackState = entry ? (state.playing ? 'playing' : 'paused') : 'none'
    if (state.length && state.position <= state.length) {
      session.setPositionState({ duration: state.length, position: state.position, playbackRate: 1 })
    }
    if (shown === entry?.id) return
    shown = entry?.id ?? ''
    session.metadata = entry
      ? new MediaMetadata({
          title: entry.track.title,
          artist: entry.track.artists.map(({ displayName }) => displayName).join(', '),
          album: entry.track.albumTitle,
          artwork: entry.track.coverUri ? [{ src: entry.track.coverUri, sizes: '640x640', type: 'image/webp' }] : [],
        })
      : null
  })
}
