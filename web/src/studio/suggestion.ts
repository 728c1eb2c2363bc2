/** What a master says about itself and the catalog does not. */

import type { Track } from '../gen/spotilike/catalog/v1/track_pb'
import type { Job_Tags as Tags } from '../gen/spotilike/processing/v1/job_pb'

/** Only what differs. */
export interface Suggestion {
  title?: string
  album?: string
  trackNumber?: number
}

/** As much as the catalog takes. */
const LONGEST_TITLE = 150
const GREATEST_NUMBER = 999

export function suggestion(tags: Tags, track: Track, albumTitle: string): Suggestion {
  const title = tags.title.trim().slice(0, LONGEST_TITLE)
  const album = tags.album.trim()
  const { trackNumber } = tags
  return {
    ...(title && title !== track.title ? { title } : {}),
    ...(album && album !== albumTitle ? { album } : {}),
    ...(trackNumber && trackNumber <= GREATEST_NUMBER && trackNumber !== track.trackNumber ? { trackNumber } : {}),
  }
}
