"""Dead letters on the wire."""

import structlog
from google.protobuf.empty_pb2 import Empty

from services.common import names, status
from services.common.events import Effects
from services.common.interceptors import Context
from services.common.pages import PageRequest
from services.processing import interventions
from services.processing.domain import ERROR_LOG_LENGTH, DeadLetter, dead_letter_not_found, replay_failed
from services.processing.masters import Masters
from services.processing.store import Store
from spotilike.processing.v1 import dead_letter_pb2, dead_letter_service_pb2_grpc
from spotilike.processing.v1.dead_letter_service_pb2 import (
    DiscardDeadLetterRequest,
    ListDeadLettersRequest,
    ListDeadLettersResponse,
    ReplayDeadLetterRequest,
)

log = structlog.get_logger("dead_letters")


class DeadLetterService(dead_letter_service_pb2_grpc.DeadLetterServiceServicer):
    """Shows administrators what was given up, and tries it once more."""

    def __init__(self, store: Store, masters: Masters, effects: Effects) -> None:
        """Read letters from `store`; try jobs again if `masters` has their files, events with `effects`."""
        self._store = store
        self._masters = masters
        self._effects = effects

    async def ListDeadLetters(self, request: ListDeadLettersRequest, context: Context) -> ListDeadLettersResponse:
        """List the letters."""
        page = PageRequest(request)
        async with self._store.read() as tx:
            letters = await tx.dead_letters.list(page)
        shown = [_shown(letter) for letter in letters.rows]
        return ListDeadLettersResponse(dead_letters=shown, next_page_token=letters.next_token)

    async def ReplayDeadLetter(self, request: ReplayDeadLetterRequest, context: Context) -> Empty:
        """Try a job or an event once more."""
        letter_id = names.parse(request.name)
        async with self._store.read() as tx:
            letter = await tx.dead_letters.find(letter_id)
        if letter:
            await self._prepare(letter)
        async with self._store.begin() as tx:
            if await tx.requests.find(request) is None:
                if letter is None or not await tx.dead_letters.remove(letter_id):
                    raise dead_letter_not_found(letter_id)
                if letter.job_id:
                    await interventions.retry(tx, letter.job_id)
                await tx.requests.remember(request, letter_id)
        return Empty()

    async def DiscardDeadLetter(self, request: DiscardDeadLetterRequest, context: Context) -> Empty:
        """Throw a letter away."""
        letter_id = names.parse(request.name)
        async with self._store.begin() as tx:
            if await tx.requests.find(request) is None:
                if not await tx.dead_letters.remove(letter_id):
                    raise dead_letter_not_found(letter_id)
                await tx.requests.remember(request, letter_id)
        return Empty()

    async def _prepare(self, letter: DeadLetter) -> None:
        """Do what has a transaction of its own, or none; doing it twice changes nothing."""
        if letter.job_id is None:
            await self._apply(letter)
            return
        async with self._store.read() as tx:
            job = await tx.jobs.find(letter.job_id)
        if job:
            await self._masters.demand(job)

    async def _apply(self, letter: DeadLetter) -> None:
        try:
            await self._effects.of(letter.payload or b"")()
        except Exception as error:
            if status.is_outage(error) or status.is_conflict(error):
                raise
            log.warning("replay_failed", letter=str(letter.id), exc_info=error)
            raise replay_failed(letter) from error


def _shown(letter: DeadLetter) -> dead_letter_pb2.DeadLetter:
    shown = dead_letter_pb2.DeadLetter(
        name=names.dead_letter(letter.id),
        job=names.job(letter.job_id) if letter.job_id else "",
        subject=letter.subject or "",
        error=letter.error[:ERROR_LOG_LENGTH],
    )
    shown.create_time.FromDatetime(letter.created_at)
    return shown
