/** The clients of the pages. */

import { createClient } from '@connectrpc/connect'
import { AlbumService } from '../gen/spotilike/catalog/v1/album_service_pb'
import { ArtistService } from '../gen/spotilike/catalog/v1/artist_service_pb'
import { GenreService } from '../gen/spotilike/catalog/v1/genre_service_pb'
import { TrackService } from '../gen/spotilike/catalog/v1/track_service_pb'
import { HistoryService } from '../gen/spotilike/streaming/v1/history_service_pb'
import { AccountEventService } from '../gen/spotilike/user/v1/account_event_service_pb'
import { UserService } from '../gen/spotilike/user/v1/user_service_pb'
import { transport } from '.'

export const users = createClient(UserService, transport)
export const accountEvents = createClient(AccountEventService, transport)
export const artists = createClient(ArtistService, transport)
export const albums = createClient(AlbumService, transport)
export const tracks = createClient(TrackService, transport)
export const genres = createClient(GenreService, transport)
export const history = createClient(HistoryService, transport)
