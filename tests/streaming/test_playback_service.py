"""Listening, through a real client."""

import asyncio
import ipaddress
import time
from uuid import uuid4

import grpc
import jwt
import pytest

from services.common.keys import public_key
from services.streaming import __main__ as streaming_main
from spotilike.streaming.v1.key_service_pb2 import GetMediaJwksRequest
from spotilike.streaming.v1.key_service_pb2_grpc import KeyServiceStub
from spotilike.streaming.v1.playback_pb2 import Playback
from spotilike.streaming.v1.playback_service_pb2 import ReportPlaybackRequest, StartPlaybackRequest
from spotilike.streaming.v1.playback_service_pb2_grpc import PlaybackServiceStub
from tests.streaming.listener import play_id
from tests.streaming.shelf import RATE, facts
from tests.support.services import error_info, retry_seconds, run, violated_fields

SLACK = 1.0
"""Seconds that a test itself may take between two of its calls."""


async def refused_reason(call):
    """Return the reason with which a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return error_info(refused.value)[0]


async def media_claims(streaming, token):
    """Verify a media token as the edge does and return its header and its claims."""
    jwks = await streaming.public(KeyServiceStub).GetMediaJwks(GetMediaJwksRequest())
    header = jwt.get_unverified_header(token)
    claims = jwt.decode(
        token,
        public_key(next(key for key in jwks.keys if key.kid == header["kid"])),
        algorithms=["EdDSA"],
        audience="spotilike-media",
        issuer="https://spotilike.dev/streaming",
    )
    return header, claims


async def test_a_media_token_opens_exactly_the_folder_of_the_track(streaming, shelf, listener):
    """The published key verifies it; its prefix ends with a slash, so that no other folder begins like it."""
    track = await shelf.add()

    playback = await listener.start(track)

    header, claims = await media_claims(streaming, playback.media_token)
    assert header["typ"] == "media+jwt"
    assert claims["pfx"] == f"audio/{shelf.folders[track]}/"
    assert claims["sub"] == str(listener.account.id)
    assert claims["play"] == str(play_id(playback))
    assert 590 < claims["exp"] - time.time() <= 600
    assert playback.expire_time.seconds == claims["exp"]


async def test_the_key_that_signs_next_is_published_beside_the_one_that_signs(streaming, listener, shelf):
    """The edge knows a key before it meets it."""
    published = await streaming.public(KeyServiceStub).GetMediaJwks(GetMediaJwksRequest())
    playback = await listener.start(await shelf.add())

    assert jwt.get_unverified_header(playback.media_token)["kid"] == published.keys[0].kid
    assert len({key.kid for key in published.keys}) >= 2


async def test_a_playback_says_all_that_a_player_needs(shelf, listener):
    """Paths at the edge, the length, the loudness and every rendition."""
    track = await shelf.add(seconds=12.5)
    folder = f"/media/audio/{shelf.folders[track]}"

    playback = await listener.start(track)

    assert playback.track == track
    assert playback.manifest_uri == f"{folder}/aac.m3u8"
    assert {manifest.codec: manifest.uri for manifest in playback.manifests} == {
        Playback.AAC: f"{folder}/aac.m3u8",
        Playback.OPUS: f"{folder}/opus.m3u8",
        Playback.FLAC: f"{folder}/flac.m3u8",
    }
    assert playback.waveform_uri == f"{folder}/waveform.json"
    assert playback.detailed_waveform_uri == f"{folder}/waveform-detailed.json"
    assert playback.duration.ToMilliseconds() == 12_500
    assert (playback.loudness.integrated_lufs, playback.loudness.true_peak_dbtp) == (-9.5, -0.25)
    assert not playback.loudness.HasField("album_integrated_lufs")
    assert [(rendition.bitrate_bps, rendition.uri) for rendition in playback.renditions] == [
        (128_000, f"{folder}/aac-128.m3u8"),
        (48_000, f"{folder}/opus-48.m3u8"),
        (160_000, f"{folder}/opus-160.m3u8"),
        (912_000, f"{folder}/flac-lossless.m3u8"),
    ]


async def test_a_track_that_the_caller_may_not_hear_is_not_found(shelf, listener):
    """Hidden and unknown ones look the same."""
    hidden = await shelf.add()
    await shelf.hide(hidden)

    assert await refused_reason(listener.start(hidden)) == "TRACK_NOT_FOUND"
    assert await refused_reason(listener.start(f"tracks/{uuid4()}")) == "TRACK_NOT_FOUND"


async def test_nobody_listens_without_a_token(shelf, listener):
    """Listening needs an account."""
    call = listener.playbacks.StartPlayback(StartPlaybackRequest(track=await shelf.add()))

    assert await refused_reason(call) == "TOKEN_MISSING"


async def test_a_catalog_that_is_away_is_told_at_once(engines, settings_of, closed_port, shelf, listener):
    """The client learns when to try again."""
    alone = await run(streaming_main.wire(settings_of(catalog_internal=closed_port)), engines)
    request = StartPlaybackRequest(track=await shelf.add())
    started = time.perf_counter()

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await alone.public(PlaybackServiceStub).StartPlayback(request, metadata=listener.account.metadata)

    assert time.perf_counter() - started < 1
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
    assert error_info(refused.value)[0] == "DEPENDENCY_UNAVAILABLE"
    assert retry_seconds(refused.value) > 0
    await alone.process.stop()


async def test_a_catalog_that_hangs_is_given_up(engines, settings_of, hanging_port, shelf, listener):
    """A listener waits for two seconds at most."""
    alone = await run(streaming_main.wire(settings_of(catalog_internal=hanging_port)), engines)
    request = StartPlaybackRequest(track=await shelf.add())
    started = time.perf_counter()

    call = alone.public(PlaybackServiceStub).StartPlayback(request, metadata=listener.account.metadata)

    assert await refused_reason(call) == "DEPENDENCY_UNAVAILABLE"
    assert time.perf_counter() - started < 3
    await alone.process.stop()


async def test_a_start_that_is_repeated_is_the_same_playback(shelf, listener, rows):
    """A lost answer makes no second play; the token is fresh."""
    track, request_id = await shelf.add(), str(uuid4())

    answers = await asyncio.gather(*(listener.start(track, request_id=request_id) for _ in range(5)))

    assert len({answer.name for answer in answers}) == 1
    assert len(await rows("SELECT 1 FROM playbacks WHERE user_id = :user", user=listener.account.id)) == 1


async def test_a_request_id_belongs_to_one_track(shelf, listener):
    """Another track under the same id is a mistake of the client."""
    request_id = str(uuid4())
    await listener.start(await shelf.add(), request_id=request_id)

    assert await refused_reason(listener.start(await shelf.add(), request_id=request_id)) == "REQUEST_ID_REUSED"


async def test_what_was_heard_is_in_the_history(shelf, listener, rows):
    """User, track, seconds, the start, address and platform, as the design of the table wants them."""
    track = await shelf.add()
    playback = await listener.start(track, address="2001:db8::7", platform="IOS")
    await listener.let_pass(42.9)
    assert await listener.report(playback, 1, (0, 42.9), ended=True) == 42.9

    (line,) = await rows("SELECT * FROM playback_history WHERE play_id = :play", play=play_id(playback))
    (kept,) = await rows("SELECT started_at, artists FROM playbacks WHERE play_id = :play", play=play_id(playback))

    assert line.user_id == listener.account.id
    assert line.track_id == play_id(Playback(name=track))
    assert line.listened_sec == 42
    assert line.timestamp == kept.started_at
    assert line.ip_address == ipaddress.ip_address("2001:db8::7")
    assert line.platform == "IOS"
    assert line.counted
    assert [f"artists/{artist}" for artist in kept.artists] == [shelf.artist]


async def test_the_platform_is_the_browser_unless_told(shelf, listener):
    """Which is what calls most."""
    playback = await listener.start(await shelf.add())
    await listener.let_pass(5)
    await listener.report(playback, 1, (0, 5), ended=True)

    assert [play.platform for play in await listener.plays()] == ["WEB"]


async def test_no_more_is_verified_than_the_time_that_passed(shelf, listener):
    """A player that claims 100 seconds after one has listened for one."""
    playback = await listener.start(await shelf.add())
    await listener.let_pass(1)

    assert 1 <= await listener.report(playback, 1, (0, 100)) < 1 + SLACK


async def test_no_more_is_verified_than_the_parts_that_were_reported(shelf, listener):
    """Time alone is no listening, and what is heard twice is heard once."""
    playback = await listener.start(await shelf.add())
    await listener.let_pass(100)

    assert await listener.report(playback, 1, (0, 10), (5, 12), (20, 21)) == 13


async def test_reports_are_cumulative_and_add_up(shelf, listener):
    """Each names all that was heard; only what is new counts."""
    playback = await listener.start(await shelf.add())
    await listener.let_pass(15)
    assert await listener.report(playback, 1, (0, 15)) == 15
    await listener.let_pass(15)

    assert await listener.report(playback, 2, (0, 30)) == 30


async def test_a_track_cannot_be_heard_beyond_its_end(shelf, listener):
    """Stretches are cut at the track's length."""
    playback = await listener.start(await shelf.add(seconds=8))
    await listener.let_pass(100)

    assert await listener.report(playback, 1, (0, 50)) == 8


async def test_an_older_report_changes_nothing(shelf, listener):
    """Reports may overtake each other."""
    playback = await listener.start(await shelf.add())
    await listener.let_pass(20)
    await listener.report(playback, 2, (0, 10))

    assert await listener.report(playback, 1, (0, 15)) == 10
    assert await listener.report(playback, 2, (0, 15)) == 10
    assert await listener.report(playback, 3, (0, 15)) == 15


async def test_of_two_playbacks_at_once_one_counts(shelf, listener):
    """One user listens with two ears, not with four."""
    one, other = await listener.start(await shelf.add()), await listener.start(await shelf.add())
    for sequence in range(1, 5):
        await listener.let_pass(15)
        heard = (0, 15 * sequence)
        first, second = await asyncio.gather(
            listener.report(one, sequence, heard), listener.report(other, sequence, heard)
        )

    assert 60 <= first + second < 60 + SLACK


async def test_playbacks_one_after_the_other_all_count(shelf, listener):
    """The next one may start before the last report of the one before arrives."""
    first = await listener.start(await shelf.add())
    await listener.let_pass(40)
    second = await listener.start(await shelf.add())
    assert await listener.report(first, 1, (0, 40), ended=True) == 40
    await listener.let_pass(35)

    assert await listener.report(second, 1, (0, 35), ended=True) == 35
    assert [play.counted for play in await listener.plays()] == [True, True]


@pytest.mark.parametrize(("seconds", "counted"), [(29, False), (29.999, False), (30, True)])
async def test_a_play_counts_from_thirty_seconds(shelf, listener, seconds, counted):
    """Not before."""
    playback = await listener.start(await shelf.add())
    await listener.let_pass(60)
    await listener.report(playback, 1, (0, seconds), ended=True)

    (play,) = await listener.plays()
    assert (play.listened.seconds, play.counted) == (int(seconds), counted)


async def test_a_short_track_counts_when_it_was_heard_to_its_end(shelf, listener):
    """Thirty seconds are not in it."""
    playback = await listener.start(await shelf.add(seconds=4))
    await listener.let_pass(10)
    await listener.report(playback, 1, (0, 4), ended=True)

    assert [play.counted for play in await listener.plays()] == [True]


async def test_a_playback_that_was_not_heard_leaves_no_play(shelf, listener):
    """Opening a track is no listening."""
    playback = await listener.start(await shelf.add())
    await listener.report(playback, 1, ended=True)

    assert await listener.plays() == []


async def until_taken(call):
    """Repeat a call for as long as the service asks for it, because all of its connections are busy."""
    while True:
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.UNAVAILABLE:
                raise
            await asyncio.sleep(retry_seconds(error))


async def test_the_last_report_sent_a_hundred_times_is_one_play(shelf, listener, rows):
    """All are answered alike."""
    playback = await listener.start(await shelf.add())
    await listener.let_pass(40)

    def report():
        return listener.report(playback, 7, (0, 33), ended=True)

    answers = await asyncio.gather(*(until_taken(report) for _ in range(100)))

    assert set(answers) == {33}
    assert len(await rows("SELECT 1 FROM playback_history WHERE play_id = :play", play=play_id(playback))) == 1


async def test_a_playback_that_ended_takes_no_more_reports(shelf, listener):
    """What comes later belongs to another playback."""
    playback = await listener.start(await shelf.add())
    await listener.let_pass(10)
    await listener.report(playback, 1, (0, 10), ended=True)

    assert await refused_reason(listener.report(playback, 2, (0, 20))) == "PLAYBACK_CLOSED"
    assert await refused_reason(listener.renew(playback)) == "PLAYBACK_CLOSED"
    assert [play.listened.seconds for play in await listener.plays()] == [10]


async def test_the_playbacks_of_others_are_not_there(shelf, listener, someone):
    """Neither reported nor renewed."""
    playback = await listener.start(await shelf.add())
    other = await someone()

    assert await refused_reason(other.report(playback, 1, (0, 10), ended=True)) == "PLAYBACK_NOT_FOUND"
    assert await refused_reason(other.renew(playback)) == "PLAYBACK_NOT_FOUND"
    unknown = Playback(name=f"playbacks/{uuid4()}")
    assert await refused_reason(listener.report(unknown, 1, (0, 10))) == "PLAYBACK_NOT_FOUND"


async def test_a_renewed_token_opens_the_folder_with_which_the_playback_began(streaming, shelf, listener):
    """A new master does not change what is being played."""
    track = await shelf.add()
    playback = await listener.start(track)
    folder = shelf.folders[track]
    await shelf.publish(track, facts(RATE))

    renewed = await listener.renew(playback)

    _, claims = await media_claims(streaming, renewed.media_token)
    assert claims["pfx"] == f"audio/{folder}/"
    assert (renewed.name, renewed.manifest_uri) == (playback.name, playback.manifest_uri)


async def test_a_playback_is_renewed_for_a_day(shelf, listener):
    """A folder that was replaced may be removed some day."""
    playback = await listener.start(await shelf.add())
    await listener.let_pass(24 * 3600 - 60)
    await listener.renew(playback)
    await listener.let_pass(61)

    assert await refused_reason(listener.renew(playback)) == "PLAYBACK_CLOSED"


@pytest.mark.parametrize(
    ("fields", "violated"),
    [
        ({"position": float("nan")}, {"position"}),
        ({"position": -1}, {"position"}),
        ({"sequence": -1}, {"sequence"}),
        ({"intervals": [{"start": 0, "end": float("inf")}]}, {"intervals[0].end"}),
        ({"intervals": [{"start": -1, "end": 1e9}]}, {"intervals[0].start", "intervals[0].end"}),
        ({"intervals": [{}] * 1001}, {"intervals"}),
    ],
    ids=["no number", "before the start", "backwards", "endless", "both ends", "too many"],
)
async def test_nonsense_is_refused_by_field(shelf, listener, fields, violated):
    """Every field that breaks a rule is named."""
    playback = await listener.start(await shelf.add())
    call = listener.playbacks.ReportPlayback(
        ReportPlaybackRequest(name=playback.name, **fields), metadata=listener.account.metadata
    )

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    assert violated_fields(refused.value) == violated


async def test_a_playback_in_thousands_of_pieces_stays_small(shelf, listener, rows):
    """Nobody fills the table with stretches of a millisecond."""
    playback = await listener.start(await shelf.add())
    await listener.let_pass(100)
    pieces = [(start / 500, start / 500 + 0.001) for start in range(2000)]
    await listener.report(playback, 1, *pieces[:1000])

    assert await listener.report(playback, 2, *pieces[1000:]) == 1.0
    (kept,) = await rows("SELECT jsonb_array_length(heard) AS n FROM playbacks WHERE play_id = :p", p=play_id(playback))
    assert kept.n == 1000
