"""The listening history, and that nobody can change it."""

import grpc
import psycopg
import pytest

from spotilike.streaming.v1.history_service_pb2 import ListPlaysRequest
from tests.streaming.listener import play_id
from tests.support.services import error_info


async def heard(listener, shelf, seconds):
    """Listen to a new track for some seconds; answers the playback."""
    playback = await listener.start(await shelf.add())
    await listener.let_pass(seconds)
    await listener.report(playback, 1, (0, seconds), ended=True)
    return playback


async def test_plays_are_listed_page_by_page_the_newest_first(shelf, listener):
    """Every play once."""
    playbacks = [await heard(listener, shelf, seconds) for seconds in (31, 2, 33, 4, 35)]

    seen, token = [], ""
    while True:
        page = await listener.history.ListPlays(
            ListPlaysRequest(parent=listener.account.name, page_size=2, page_token=token),
            metadata=listener.account.metadata,
        )
        assert len(page.plays) <= 2
        seen += page.plays
        token = page.next_page_token
        if not token:
            break

    assert [play.name for play in seen] == [
        f"{listener.account.name}/plays/{play_id(playback)}" for playback in reversed(playbacks)
    ]
    assert [play.track for play in seen] == [playback.track for playback in reversed(playbacks)]
    assert [play.listened.seconds for play in seen] == [35, 4, 33, 2, 31]
    assert [play.counted for play in seen] == [True, False, True, False, True]


async def test_a_play_began_when_its_playback_started(shelf, listener, rows):
    """Not when it ended."""
    playback = await heard(listener, shelf, 50)
    (kept,) = await rows("SELECT started_at FROM playbacks WHERE play_id = :play", play=play_id(playback))

    (play,) = await listener.plays()

    assert play.start_time.ToDatetime(tzinfo=kept.started_at.tzinfo) == kept.started_at


async def test_the_history_of_others_is_out_of_reach(listener, someone):
    """What one hears is one's own."""
    other = await someone()

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await other.history.ListPlays(ListPlaysRequest(parent=listener.account.name), metadata=other.account.metadata)

    assert error_info(refused.value)[0] == "PERMISSION_MISSING"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE playback_history SET listened_sec = 9999",
        "DELETE FROM playback_history",
        "TRUNCATE playback_history",
        "UPDATE partitions.playback_history_0 SET listened_sec = 9999",
        "DELETE FROM partitions.playback_history_default",
        "DROP TABLE playback_history",
    ],
)
async def test_the_service_cannot_change_the_history(databases, statement):
    """Its role can add and read, neither in the table nor in its partitions anything else."""
    with (
        psycopg.connect(await databases.url("streaming", "app")) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement)


async def test_there_is_always_a_partition_for_the_next_plays(databases):
    """The service itself makes room, long before it is needed."""
    url = await databases.fresh("streaming", "partitions", "app")
    owner = await databases.fresh("streaming", "partitions", "owner")
    partitions = "SELECT relid::text FROM pg_partition_tree('playback_history') WHERE isleaf ORDER BY 1"
    line = (
        "INSERT INTO playback_history (user_id, track_id, listened_sec, play_id, counted) VALUES (%s, %s, 31, %s, true)"
    )
    some = ["00000000-0000-0000-0000-000000000001"] * 3
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute("SELECT setval('playback_history_id_seq', 19999999)")

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT extend_playback_history()")
        connection.execute("SELECT extend_playback_history()")
        connection.execute(line, some)

    with psycopg.connect(owner) as connection:
        assert [row[0] for row in connection.execute(partitions)] == [
            f"partitions.playback_history_{name}" for name in ("0", "1", "2", "default")
        ]
        assert connection.execute("SELECT id, tableoid::regclass::text FROM playback_history").fetchall() == [
            (20_000_000, "partitions.playback_history_2")
        ]
