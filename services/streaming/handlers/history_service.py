"""The listening history on the wire."""

from uuid import UUID

from services.common import auth, names
from services.common.interceptors import Context
from services.common.pages import PageRequest
from services.streaming.domain import Play
from services.streaming.store import Store
from spotilike.streaming.v1 import history_service_pb2_grpc, play_pb2
from spotilike.streaming.v1.history_service_pb2 import ListPlaysRequest, ListPlaysResponse


class HistoryService(history_service_pb2_grpc.HistoryServiceServicer):
    """Shows what a user has heard."""

    def __init__(self, store: Store) -> None:
        """Look in `store`."""
        self._store = store

    async def ListPlays(self, request: ListPlaysRequest, context: Context) -> ListPlaysResponse:
        """List the caller's plays."""
        caller = auth.call()
        user_id = caller.user_in(request.parent)
        caller.authorize_self(user_id)
        page = PageRequest(request)
        async with self._store.read() as tx:
            plays = await tx.history.plays(user_id, page)
        return ListPlaysResponse(plays=[_play(user_id, play) for play in plays.rows], next_page_token=plays.next_token)


def _play(user_id: UUID, play: Play) -> play_pb2.Play:
    shown = play_pb2.Play(
        name=f"{names.user(user_id)}/plays/{play.id}",
        track=names.track(play.track_id),
        platform=play.platform,
        counted=play.counted,
    )
    shown.listened.FromSeconds(play.listened_sec)
    shown.start_time.FromDatetime(play.started_at)
    return shown
