/** The client for pictures; it is loaded with the parts that change them. */

import { createClient } from '@connectrpc/connect'
import { ArtworkService } from '../gen/spotilike/catalog/v1/artwork_service_pb'
import { transport } from '.'

export const artworks = createClient(ArtworkService, transport)
