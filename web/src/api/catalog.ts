/** What pages read from the catalog, with names that are asked for again and again remembered for this visit. */

import type { Album } from '../gen/spotilike/catalog/v1/album_pb'
import type { Artist } from '../gen/spotilike/catalog/v1/artist_pb'
import type { Track } from '../gen/spotilike/catalog/v1/track_pb'
import type { QueueTrack } from '../player/queue'
import { asGuest } from '.'
import { albums, artists, genres, tracks } from './clients'

/** Remembers what `load` answers by name; a failure is forgotten, so that the next caller asks again. */
class Memory<T> {
  readonly #known = new Map<string, Promise<T>>()

  constructor(private readonly load: (name: string) => Promise<T>) {}

  get(name: string): Promise<T> {
    let known = this.#known.get(name)
    if (!known) {
      known = this.load(name)
      known.catch(() => this.#known.delete(name))
      this.#known.set(name, known)
    }
    return known
  }

  put(name: string, value: T): void {
    this.#known.set(name, Promise.resolve(value))
  }

  forget(name: string): void {
    this.#known.delete(name)
  }
}

export const artistMemory = new Memory<Artist>((name) => artists.getArtist({ name }))
export const albumMemory = new Memory<Album>((name) => albums.getAlbum({ name }))
export const trackMemory = new Memory<Track>((name) => tracks.getTrack({ name }))

const genreNames = new Memory<Map<string, string>>(async () => {
  const answer = await genres.listGenres({ pageSize: 200 })
  return new Map(answer.genres.map((genre) => [genre.name, genre.displayName]))
})

/** The genres' English names by resource name. */
export const genreTitles = () => genreNames.get('')

/** An album beside the artist who made it. */
export interface Release {
  album: Album
  artist: Artist
}

const PAGE = 60

/** The newest albums that every listener sees. */
export async function newestReleases(): Promise<Release[]> {
  const page = await albums.listAlbums({ pageSize: PAGE }, asGuest())
  return Promise.all(page.albums.map(release))
}

/** The newest tracks that every listener can play. */
export async function newestTracks(): Promise<QueueTrack[]> {
  const page = await tracks.listTracks({ pageSize: PAGE }, asGuest())
  return Promise.all(page.tracks.map(queueTrack))
}

export async function listArtists(): Promise<Artist[]> {
  const page = await artists.listArtists({ pageSize: 200 }, asGuest())
  page.artists.forEach((artist) => artistMemory.put(artist.name, artist))
  return page.artists
}

export async function release(album: Album): Promise<Release> {
  albumMemory.put(album.name, album)
  return { album, artist: await artistMemory.get(album.artist) }
}

/** All tracks of an album that the caller may see, by number. */
export async function albumTracks(album: string): Promise<Track[]> {
  const found: Track[] = []
  let pageToken = ''
  do {
    const page = await tracks.listTracks({ album, pageSize: 200, pageToken })
    found.push(...page.tracks)
    pageToken = page.nextPageToken
  } while (pageToken)
  return found
}

/** What the player keeps of a track. */
export async function queueTrack(track: Track): Promise<QueueTrack> {
  trackMemory.put(track.name, track)
  const album = await albumMemory.get(track.album)
  return {
    name: track.name,
    title: track.title,
    album: album.name,
    albumTitle: album.title,
    coverUri: album.coverUri,
    artists: track.artists.map(({ artist, displayName }) => ({ name: artist, displayName })),
    seconds: track.duration ? Number(track.duration.seconds) : null,
    genres: track.genres,
  }
}
