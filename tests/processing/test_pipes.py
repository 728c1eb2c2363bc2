"""Pipes are read and filled as they gather, whatever their size, and lose nothing."""

import asyncio
import fcntl
import os
import threading

import pytest

from services.processing import pipes
from services.processing.pipes import Pipe, pump, widen

SMALLEST = 4096
PATIENCE_SECONDS = 20
"""Many times what the tests need, and less than a small pipe would need that is looked at as rarely as a wide one."""
MUCH = os.urandom(4 << 20)


@pytest.fixture
def ends():
    """Return both ends of a pipe, closed at last."""
    reading, writing = os.pipe()
    yield reading, writing
    for end in (reading, writing):
        try:
            os.close(end)
        except OSError:
            continue


def written(end: int, data: bytes) -> threading.Thread:
    """Write as another process would, which waits while the pipe is full, and close."""

    def write() -> None:
        with os.fdopen(end, "wb", 0) as file:
            file.write(data)

    thread = threading.Thread(target=write)
    thread.start()
    return thread


async def test_what_has_gathered_is_read_at_once(ends):
    """However many writes it came in."""
    reading, writing = ends
    pipe = Pipe(reading, asyncio.Event())
    for piece in (b"one ", b"two ", b"three"):
        os.write(writing, piece)

    assert await pipe.read(100) == b"one two three"


@pytest.mark.parametrize("size", [SMALLEST, 1 << 20])
async def test_a_pipe_of_any_size_lets_everything_through(ends, size):
    """A user with many pipes gets small ones, and an encoder must not starve behind them."""
    reading, writing = ends
    fcntl.fcntl(reading, fcntl.F_SETPIPE_SZ, size)
    pipe = Pipe(reading, asyncio.Event())
    thread = written(writing, MUCH)
    async with asyncio.timeout(PATIENCE_SECONDS):
        first, rest = await pipe.read_exactly(1_000_000), await pipe.read_all(len(MUCH))
    thread.join()

    assert first + rest == MUCH


async def test_a_writer_that_ends_is_not_waited_for(ends, monkeypatch):
    """Whoever begins to wait before it ends, or after."""
    monkeypatch.setattr(pipes, "LOOK_SECONDS", 1000 * PATIENCE_SECONDS)
    reading, writing = ends
    widen(reading)
    ending = asyncio.Event()
    pipe = Pipe(reading, ending)
    waiting = asyncio.create_task(pipe.read_all(100))
    await asyncio.sleep(0.1)
    os.write(writing, b"the last words")
    ending.set()
    asyncio.get_running_loop().call_later(0.1, os.close, writing)
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await waiting == b"the last words"


async def test_an_end_that_comes_too_early_is_told(ends):
    """A box that was begun and never ended is none."""
    reading, writing = ends
    os.write(writing, b"half")
    os.close(writing)
    with pytest.raises(EOFError):
        await Pipe(reading, asyncio.Event()).read_exactly(8)


async def test_of_what_is_too_long_the_beginning_is_kept_and_the_rest_is_read(ends):
    """The writer must not wait for a reader that has lost interest."""
    reading, writing = ends
    thread = written(writing, MUCH)
    kept = await Pipe(reading, asyncio.Event()).read_all(1000)
    await asyncio.to_thread(thread.join, PATIENCE_SECONDS)

    assert kept == MUCH[:1000]
    assert not thread.is_alive()


async def test_a_file_is_pumped_while_it_grows_and_until_it_is_whole(ends, tmp_path):
    """What is not there yet is no end."""
    reading, writing = ends
    widen(reading)
    pipe, grown = Pipe(reading, asyncio.Event()), asyncio.Event()
    with (tmp_path / "master").open("wb", 0) as file, (tmp_path / "master").open("rb") as source:
        file.write(MUCH[: len(MUCH) // 2])
        pumping = asyncio.create_task(pump(source.fileno(), writing, grown.is_set))
        first = await pipe.read_exactly(len(MUCH) // 2)
        assert not pumping.done()
        file.write(MUCH[len(MUCH) // 2 :])
        grown.set()
        second = await pipe.read_exactly(len(MUCH) - len(first))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await pumping

    assert first + second == MUCH
