"""Tracks on the wire."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty

from services.catalog import events, loudness
from services.catalog.domain import (
    Credit,
    Track,
    album_not_found,
    artist_not_found,
    credit_not_found,
    credited,
    genre_not_found,
    required,
    track_not_found,
)
from services.catalog.handlers.authorization import authorize, managed_track, viewer
from services.catalog.store import Store, Transaction
from services.common import masks, names
from services.common.interceptors import Context
from services.common.pages import PageRequest
from spotilike.catalog.v1 import track_pb2, track_service_pb2_grpc
from spotilike.catalog.v1.track_service_pb2 import (
    CreateTrackRequest,
    DeleteTrackRequest,
    GetTrackRequest,
    ListTracksRequest,
    ListTracksResponse,
    UpdateTrackRequest,
)

CreditType = track_pb2.Track.Credit.Type


class TrackService(track_service_pb2_grpc.TrackServiceServicer):
    """Makes, shows, changes and removes tracks."""

    def __init__(self, store: Store) -> None:
        """Keep tracks in `store`."""
        self._store = store

    async def CreateTrack(self, request: CreateTrackRequest, context: Context) -> track_pb2.Track:
        """Make a draft on an album."""
        async with self._store.begin() as tx:
            album = await tx.albums.find(names.parse(request.track.album), viewer())
            if album is None:
                raise album_not_found(names.parse(request.track.album))
            await authorize(tx, album.artist_id)
            track_id = await tx.requests.find(request)
            if track_id is None:
                track_id = await _add(tx, album.id, album.artist_id, request.track)
                await tx.requests.remember(request, track_id)
            return await _shown(tx, track_id)

    async def GetTrack(self, request: GetTrackRequest, context: Context) -> track_pb2.Track:
        """Show a track."""
        async with self._store.read() as tx:
            return await _shown(tx, names.parse(request.name))

    async def ListTracks(self, request: ListTracksRequest, context: Context) -> ListTracksResponse:
        """List tracks, those of an album by number, others the newest first."""
        album_id = names.parse(request.album) if request.album else None
        artist_id = names.parse(request.artist) if request.artist else None
        async with self._store.read() as tx:
            if album_id and await tx.albums.find(album_id, viewer()) is None:
                raise album_not_found(album_id)
            if artist_id and await tx.artists.find(artist_id) is None:
                raise artist_not_found(artist_id)
            page = await tx.tracks.page(album_id, artist_id, viewer(), PageRequest(request))
        return ListTracksResponse(tracks=map(_message, page.rows), next_page_token=page.next_token)

    async def UpdateTrack(self, request: UpdateTrackRequest, context: Context) -> track_pb2.Track:
        """Change a track."""
        track_id = names.parse_field(request.track.name, "tracks", "track.name")
        changed = masks.changed(request.track, request.update_mask)
        async with self._store.begin() as tx:
            track = await managed_track(tx, track_id)
            values: dict[str, Any] = {}
            if "title" in changed:
                values["title"] = required(request.track.title, "track.title")
            if "track_number" in changed:
                values["track_number"] = await _number(tx, track.album_id, request.track, moved=track_id)
            if "artists" in changed:
                await _name_artists(tx, track_id, track.artist_id, request.track)
            if "genres" in changed:
                await _name_genres(tx, track_id, request.track.genres)
            await tx.tracks.change(track_id, values)
            return await _shown(tx, track_id)

    async def DeleteTrack(self, request: DeleteTrackRequest, context: Context) -> Empty:
        """Remove a track from listeners."""
        track_id = names.parse(request.name)
        async with self._store.begin() as tx:
            await managed_track(tx, track_id)
            # The album first, as whoever publishes a track locks them.
            album_id = await tx.albums.lock_of(track_id)
            master = await tx.tracks.lock_master(track_id)
            await tx.tracks.remove(track_id)
            await loudness.measure(tx, album_id)
            if master.folder:
                await events.retire(tx, track_id, master.folder)
        return Empty()


async def _add(tx: Transaction, album_id: UUID, owner: UUID, wanted: track_pb2.Track) -> UUID:
    title = required(wanted.title, "track.title")
    track_id = await tx.tracks.add(album_id, title, await _number(tx, album_id, wanted))
    await _name_artists(tx, track_id, owner, wanted)
    await _name_genres(tx, track_id, wanted.genres)
    return track_id


async def _number(tx: Transaction, album_id: UUID, wanted: track_pb2.Track, moved: UUID | None = None) -> int:
    """Answer the place on the album that is asked for; 0 is the one after the last."""
    if wanted.track_number:
        return wanted.track_number
    # Locked, so that two tracks that are added at once do not get the same place.
    await tx.albums.lock(album_id)
    return await tx.tracks.next_number(album_id, without=moved)


async def _name_artists(tx: Transaction, track_id: UUID, owner: UUID, wanted: track_pb2.Track) -> None:
    named = credited([_credit(credit) for credit in wanted.artists], owner)
    missing = await tx.artists.missing({credit.artist_id for credit in named})
    for place, credit in enumerate(named):
        if credit.artist_id in missing:
            raise credit_not_found(credit.artist_id, place)
    await tx.tracks.set_credits(track_id, named)


async def _name_genres(tx: Transaction, track_id: UUID, wanted: Sequence[str]) -> None:
    genre_ids = [int(name.removeprefix("genres/")) for name in wanted]
    for missing in await tx.genres.missing(set(genre_ids)):
        raise genre_not_found(missing)
    await tx.tracks.set_genres(track_id, genre_ids)


async def _shown(tx: Transaction, track_id: UUID) -> track_pb2.Track:
    track = await tx.tracks.find(track_id, viewer())
    if track is None:
        raise track_not_found(track_id)
    return _message(track)


def _credit(wanted: track_pb2.Track.Credit) -> Credit:
    kind = CreditType.Name(wanted.type or CreditType.MAIN)
    return Credit(names.parse(wanted.artist), kind, wanted.display_order)


def _message(track: Track) -> track_pb2.Track:
    shown = track_pb2.Track(
        name=names.track(track.id),
        album=names.album(track.album_id),
        title=track.title,
        track_number=track.track_number,
        artists=[
            track_pb2.Track.Credit(
                artist=names.artist(credit.artist_id),
                type=CreditType.Value(credit.type),
                display_order=credit.display_order,
                display_name=credit.display_name,
            )
            for credit in track.credits
        ],
        genres=map(names.genre, track.genres),
        is_available=track.is_available,
        state=track_pb2.Track.State.Value(track.state),
        job=names.job(track.job) if track.job else "",
    )
    if track.duration_sec:
        shown.duration.CopyFrom(Duration(seconds=track.duration_sec))
    if track.failure:
        failure = track_pb2.Track.Failure(reason=track.failure.reason, message=track.failure.message)
        shown.failure.CopyFrom(failure)
    return shown
