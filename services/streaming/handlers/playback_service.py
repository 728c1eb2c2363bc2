"""Listening on the wire."""

from datetime import datetime, timedelta
from uuid import UUID

from services.common import auth, names
from services.common.interceptors import Context
from services.streaming import domain, media
from services.streaming.catalog import Catalog
from services.streaming.domain import NewPlayback, Playback, Report
from services.streaming.media import MediaAccess
from services.streaming.store import Store, Transaction
from spotilike.internal.v1.audio_pb2 import AudioFacts
from spotilike.internal.v1.catalog_service_pb2 import ResolvePlaybackResponse
from spotilike.streaming.v1 import playback_pb2, playback_service_pb2_grpc
from spotilike.streaming.v1.playback_service_pb2 import (
    RenewPlaybackRequest,
    ReportPlaybackRequest,
    ReportPlaybackResponse,
    StartPlaybackRequest,
)

Codec = playback_pb2.Playback.Codec


class PlaybackService(playback_service_pb2_grpc.PlaybackServiceServicer):
    """Starts playbacks and takes in what was heard."""

    def __init__(self, store: Store, catalog: Catalog, access: MediaAccess, longest: timedelta) -> None:
        """Keep playbacks in `store`; one gets media tokens for `longest` after its start."""
        self._store = store
        self._catalog = catalog
        self._access = access
        self._longest = longest

    async def StartPlayback(self, request: StartPlaybackRequest, context: Context) -> playback_pb2.Playback:
        """Start a playback."""
        track_id = names.parse(request.track)
        # Asked before the transaction, so that a slow catalog holds no connection to the database.
        resolved = await self._catalog.resolve(track_id, auth.call().user_id)
        await self._access.check()
        async with self._store.begin() as tx:
            play_id = await tx.requests.find(request)
            if play_id is None:
                new = _new_playback(track_id, request.platform, resolved)
                play_id = await tx.playbacks.add(new)
                await tx.listeners.add(new.user_id)
                await tx.requests.remember(request, play_id)
            playback = await tx.playbacks.find_for_update(play_id)
            if playback is None:
                raise domain.playback_not_found(_name(play_id))
            return await self._shown(playback, await tx.now())

    async def ReportPlayback(self, request: ReportPlaybackRequest, context: Context) -> ReportPlaybackResponse:
        """Take in what was heard so far."""
        report = _report(request)
        async with self._store.begin() as tx:
            playback = await _own(tx, request.name)
            listened_ms = playback.listened_ms
            if report.sequence > playback.sequence:
                if not playback.is_open:
                    raise domain.playback_closed(request.name)
                listened_ms = await _advance(tx, playback, report)
                if request.ended:
                    await tx.playbacks.close(playback.id)
        response = ReportPlaybackResponse()
        response.listened.FromMilliseconds(listened_ms)
        return response

    async def RenewPlayback(self, request: RenewPlaybackRequest, context: Context) -> playback_pb2.Playback:
        """Give a playback a new media token."""
        await self._access.check()
        async with self._store.begin() as tx:
            playback = await _own(tx, request.name)
            now = await tx.now()
            if not playback.is_open or now - playback.started_at > self._longest:
                raise domain.playback_closed(request.name)
            await tx.playbacks.touch(playback.id)
            return await self._shown(playback, now)

    async def _shown(self, playback: Playback, now: datetime) -> playback_pb2.Playback:
        token, expires = await self._access.token(playback, now)
        facts = AudioFacts.FromString(playback.facts)
        manifests = [
            playback_pb2.Playback.Manifest(
                codec=Codec.Value(manifest.codec), uri=media.uri(playback, manifest.playlist)
            )
            for manifest in facts.manifests
        ]
        shown = playback_pb2.Playback(
            name=_name(playback.id),
            track=names.track(playback.track_id),
            manifest_uri=next(manifest.uri for manifest in manifests if manifest.codec == Codec.AAC),
            manifests=manifests,
            media_token=token,
            loudness=_loudness(facts),
            waveform_uri=media.uri(playback, facts.waveform),
            renditions=[_rendition(playback, rendition) for rendition in facts.renditions],
        )
        if facts.detailed_waveform:
            shown.detailed_waveform_uri = media.uri(playback, facts.detailed_waveform)
        shown.expire_time.FromDatetime(expires)
        shown.duration.FromNanoseconds(facts.samples * 1_000_000_000 // facts.sample_rate_hz)
        return shown


async def _own(tx: Transaction, name: str) -> Playback:
    """Find and lock a playback of the caller; those of others are not there for them."""
    caller = auth.call()
    playback = await tx.playbacks.find_for_update(names.parse(name))
    if playback is None or playback.user_id != caller.user_id:
        raise domain.playback_not_found(name)
    caller.authorize_self(playback.user_id)
    return playback


async def _advance(tx: Transaction, playback: Playback, report: Report) -> int:
    """Keep a report and answer how much listening is verified with it, in milliseconds."""
    heard = domain.heard_with(playback, report)
    claimed_ms = domain.length(heard) - domain.length(playback.heard)
    listened_ms = playback.listened_ms
    if claimed_ms:
        clock = await tx.listeners.lock(playback.user_id)
        credit = domain.credit(claimed_ms, playback.started_at, clock)
        await tx.listeners.spend(playback.user_id, credit)
        listened_ms += credit.milliseconds
    counted = domain.counts(listened_ms, playback.duration_ms)
    await tx.playbacks.advance(playback.id, report, heard, listened_ms, counted=counted)
    return listened_ms


def _new_playback(track_id: UUID, platform: str, resolved: ResolvePlaybackResponse) -> NewPlayback:
    caller = auth.call()
    if caller.identity is None:
        raise auth.missing()
    return NewPlayback(
        user_id=caller.user_id,
        session_id=caller.identity.session_id,
        ip_address=caller.address,
        platform=platform or domain.DEFAULT_PLATFORM,
        track_id=track_id,
        artists=tuple(UUID(artist) for artist in resolved.artists),
        folder=resolved.folder,
        facts=resolved.facts.SerializeToString(),
        duration_ms=domain.duration_ms(resolved.facts.samples, resolved.facts.sample_rate_hz),
    )


def _report(request: ReportPlaybackRequest) -> Report:
    return Report(
        sequence=request.sequence,
        heard=tuple((_milliseconds(interval.start), _milliseconds(interval.end)) for interval in request.intervals),
        position_ms=_milliseconds(request.position),
        stalls=request.stalls,
    )


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _name(play_id: UUID) -> str:
    return f"playbacks/{play_id}"


def _loudness(facts: AudioFacts) -> playback_pb2.Playback.Loudness:
    loudness = playback_pb2.Playback.Loudness()
    if facts.HasField("integrated_lufs"):
        loudness.integrated_lufs = facts.integrated_lufs
    if facts.HasField("true_peak_dbtp"):
        loudness.true_peak_dbtp = facts.true_peak_dbtp
    if facts.HasField("album_integrated_lufs"):
        loudness.album_integrated_lufs = facts.album_integrated_lufs
    return loudness


def _rendition(playback: Playback, rendition: AudioFacts.Rendition) -> playback_pb2.Playback.Rendition:
    return playback_pb2.Playback.Rendition(
        codec=Codec.Value(rendition.codec),
        bitrate_bps=rendition.bitrate_bps,
        uri=media.uri(playback, rendition.playlist),
        sample_rate_hz=rendition.sample_rate_hz,
        samples=rendition.samples,
        priming_samples=rendition.priming_samples,
        padding_samples=rendition.padding_samples,
    )
