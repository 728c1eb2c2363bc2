"""Starts a mesh in order of readiness, keeps its parts running and stops them in reverse order."""

import asyncio
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cli.engines import processes
from cli.engines.logs import PartLog
from cli.engines.parts import Mesh, Part, Step
from cli.problem import Problem

_POLL_SECONDS = 0.05
_PROBE_SECONDS = 2.0
_FIRST_DELAY = 0.5
_LONGEST_DELAY = 10.0
_STABLE_SECONDS = 30.0
"""A part which ran this long is started again without a grudge."""


class Audience(Protocol):
    """Who hears what happens."""

    def progress(self, name: str, text: str) -> None:
        """Hear that something happened to a part."""

    def line(self, name: str, text: str) -> None:
        """Hear a line which a part printed."""


class Supervisor:
    """Runs one mesh. `start` returns when everything is ready; `watch` when a stop was asked for."""

    def __init__(self, mesh: Mesh, logs: Path, audience: Audience) -> None:
        self._audience = audience
        self._keepers = {
            item.name: Keeper(item, logs, audience, self._ready) for item in mesh if isinstance(item, Part)
        }
        self._steps = [item for item in mesh if isinstance(item, Step)]
        self._reached = {item.name: asyncio.Event() for item in mesh}
        self._needs = {item.name: item.needs for item in mesh}
        self._tasks: list[asyncio.Task[None]] = []
        self._repetitions: dict[str, asyncio.Task[None]] = {}
        self._stopping = asyncio.Event()

    @property
    def keepers(self) -> "list[Keeper]":
        """Return the parts with their state, in the order of the mesh."""
        return list(self._keepers.values())

    async def start(self) -> None:
        """Start everything and wait until it is ready; raise `Problem` with the last log lines of what is not."""
        self._tasks = [asyncio.create_task(self._run_step(step)) for step in self._steps]
        self._tasks += [asyncio.create_task(self._run_part(keeper)) for keeper in self.keepers]
        ready = asyncio.create_task(self._everything())
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            waited_for: set[asyncio.Task[Any]] = {ready, stopped, *self._tasks}
            while not (ready.done() or stopped.done()):
                done, waited_for = await asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            ready.cancel()
            stopped.cancel()

    async def watch(self) -> None:
        """Keep everything running until a stop is asked for."""
        stopped = asyncio.create_task(self._stopping.wait())
        running = [task for task in self._tasks if not task.done()]
        done, _ = await asyncio.wait([stopped, *running], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    def ask_to_stop(self) -> None:
        """Make `start` and `watch` return; a second call kills what still runs."""
        if self._stopping.is_set():
            for keeper in self.keepers:
                keeper.give_up()
        self._stopping.set()

    @property
    def is_stopping(self) -> bool:
        """Tell whether a stop was asked for."""
        return self._stopping.is_set()

    async def stop(self) -> None:
        """Stop the parts, dependants first: the edge, the services and workers, the engines."""
        self._stopping.set()
        gone = {name: asyncio.Event() for name in self._needs}

        async def halt(name: str) -> None:
            await asyncio.gather(*(gone[other].wait() for other, needs in self._needs.items() if name in needs))
            if keeper := self._keepers.get(name):
                await keeper.stop()
            gone[name].set()

        await asyncio.gather(*(halt(name) for name in self._needs))
        tasks = [*self._tasks, *self._repetitions.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def restart(self, name: str) -> None:
        """Stop one part, which then starts again, and wait until it is ready."""
        keeper = self._keepers.get(name)
        if keeper is None:
            raise Problem(f"There is no part named {name}. The parts are: {', '.join(self._keepers)}.")
        self._reached[name].clear()
        await keeper.stop(again=True)
        await self._reached[name].wait()

    def _ready(self, name: str) -> None:
        self._reached[name].set()
        for step in self._steps:
            if name in step.needs and self._reached[step.name].is_set() and not self.is_stopping:
                if earlier := self._repetitions.get(step.name):
                    earlier.cancel()
                self._repetitions[step.name] = asyncio.create_task(self._repeat(step))

    async def _everything(self) -> None:
        await asyncio.gather(*(event.wait() for event in self._reached.values()))

    async def _needed_by(self, name: str) -> None:
        await asyncio.gather(*(self._reached[need].wait() for need in self._needs[name]))

    async def _run_step(self, step: Step) -> None:
        await self._needed_by(step.name)
        started = time.monotonic()
        await step.run()
        self._audience.progress(step.name, f"done in {time.monotonic() - started:.1f} s")
        self._reached[step.name].set()

    async def _repeat(self, step: Step) -> None:
        """Do a step again after a part that it needs came back, which may have lost what the step had made."""
        delay = _FIRST_DELAY
        while True:
            await self._needed_by(step.name)
            try:
                await step.run()
            except Exception as error:  # noqa: BLE001 (the part may have ended again, and nothing waits for this)
                self._audience.progress(step.name, f"failed ({type(error).__name__}); it is done again in {delay:g} s")
                await asyncio.sleep(delay)
                delay = min(delay * 2, _LONGEST_DELAY)
            else:
                self._audience.progress(step.name, "done again")
                return

    async def _run_part(self, keeper: "Keeper") -> None:
        await self._needed_by(keeper.part.name)
        await keeper.keep()


@dataclass
class Keeper:
    """Keeps one part running: start, wait for readiness, start again with growing delays."""

    part: Part
    logs: Path
    audience: Audience
    on_ready: Callable[[str], None]
    state: str = "waiting"
    restarts: int = 0
    started_at: float = 0.0
    process: asyncio.subprocess.Process | None = None
    _was_ready: bool = False
    _announced: bool = False
    _stop_requested: bool = False
    _start_again: bool = False

    @property
    def pid(self) -> int | None:
        """Return the process id while the part runs."""
        return self.process.pid if self.process and self.process.returncode is None else None

    async def keep(self) -> None:
        """Run the part until a stop is asked for; raise `Problem` when its first start fails."""
        log = PartLog(self.logs, self.part.name)
        delay = _FIRST_DELAY
        while not self._stop_requested:
            began = time.monotonic()
            try:
                ending = await self._run_once(log)
            except Problem as problem:
                if not self._was_ready:
                    raise
                ending = str(problem)
            if self._start_again:
                self._start_again = self._stop_requested = False
                delay = _FIRST_DELAY
                continue
            if self._stop_requested:
                break
            if not self._was_ready:
                raise Problem(f"{self.part.name} {ending} while starting.\n{log.tail()}")
            self.restarts += 1
            self.state = "restarting"
            delay = _FIRST_DELAY if time.monotonic() - began > _STABLE_SECONDS else delay
            self.audience.progress(self.part.name, f"{ending}; it starts again in {delay:.1f} s")
            await asyncio.sleep(delay)
            delay = min(delay * 2, _LONGEST_DELAY)
        self.state = "stopped"
        log.close()

    async def stop(self, *, again: bool = False) -> None:
        """Ask the part to end, kill it after its time, and return when it is gone."""
        if self.process is None or self.process.returncode is not None:
            self._stop_requested = not again
            return
        self._stop_requested, self._start_again = True, again
        self.state = "stopping"
        if self.part.before_stop:
            await self.part.before_stop()
        try:
            self.process.send_signal(self.part.stop_signal)
            async with asyncio.timeout(self.part.stop_seconds):
                await self.process.wait()
        except ProcessLookupError:  # it ended meanwhile
            await self.process.wait()
        except TimeoutError:
            self.audience.progress(self.part.name, f"did not stop in {self.part.stop_seconds:g} s and was killed")
            processes.kill_group(self.process)
            await self.process.wait()

    def give_up(self) -> None:
        """End the part at once and do not start it again."""
        self._stop_requested = True
        self._kill()

    def _kill(self) -> None:
        if self.process and self.process.returncode is None:
            processes.kill_group(self.process)

    async def _run_once(self, log: PartLog) -> str:
        """Run the process once and say how it ended."""
        self.state = "starting"
        if self.part.prepare:
            await asyncio.to_thread(self.part.prepare)
        if self._stop_requested:
            return "was stopped"
        self.started_at = time.time()
        try:
            self.process = await processes.spawn(
                self.part.argv,
                env=self.part.env,
                cwd=self.part.cwd,
                user=self.part.user,
                orphan_signal=self.part.orphan_signal,
            )
        except OSError as error:
            raise Problem(f"{self.part.name} cannot be started ({self.part.argv[0]}: {error.strerror}).") from error
        self._announced = False
        pump = asyncio.create_task(processes.pump(self.process, log, self._hear))
        ready = asyncio.create_task(self._await_ready(log))
        ended = asyncio.create_task(self.process.wait())
        try:
            await asyncio.wait({ready, ended}, return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                ready.result()
            return _ending(await ended)
        finally:
            ready.cancel()
            await asyncio.wait({pump}, timeout=1)  # a grandchild may hold the pipe open
            pump.cancel()

    async def _await_ready(self, log: PartLog) -> None:
        began = time.monotonic()
        while not await self.answers():
            if time.monotonic() - began > self.part.start_seconds:
                self._kill()
                raise Problem(f"{self.part.name} was not ready after {self.part.start_seconds:g} s.\n{log.tail()}")
            await asyncio.sleep(_POLL_SECONDS)
        self._was_ready = True
        self.state = "ready"
        self.audience.progress(self.part.name, f"ready in {time.monotonic() - began:.1f} s")
        self.on_ready(self.part.name)

    def _hear(self, line: str) -> None:
        self._announced = self._announced or (self.part.announcement in line)
        self.audience.line(self.part.name, line)

    async def answers(self) -> bool:
        """Ask the part itself whether it can serve."""
        if self.part.ready is None:
            return self._announced
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                return await self.part.ready()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return False


def _ending(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
