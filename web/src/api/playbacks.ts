/** The clients of the player, loaded at the first play. */

import { createClient } from '@connectrpc/connect'
import { PlaybackService } from '../gen/spotilike/streaming/v1/playback_service_pb'
import { lastWords, transport } from '.'

export const playbacks = createClient(PlaybackService, transport)
export const reports = createClient(PlaybackService, lastWords)
