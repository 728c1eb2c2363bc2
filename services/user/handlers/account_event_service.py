"""The trail of an account on the wire."""

from services.common import auth, names
from services.common.interceptors import Context
from services.common.pages import PageRequest
from services.user.domain import AccountEvent
from services.user.store import Store
from spotilike.user.v1 import account_event_pb2, account_event_service_pb2_grpc
from spotilike.user.v1.account_event_service_pb2 import ListAccountEventsRequest, ListAccountEventsResponse


class AccountEventService(account_event_service_pb2_grpc.AccountEventServiceServicer):
    """Shows what happened to an account."""

    def __init__(self, store: Store) -> None:
        """Read from `store`."""
        self._store = store

    async def ListAccountEvents(self, request: ListAccountEventsRequest, context: Context) -> ListAccountEventsResponse:
        """List what happened, the newest first."""
        caller = auth.call()
        user_id = caller.user_in(request.parent)
        caller.authorize_self(user_id)
        async with self._store.read() as tx:
            page = await tx.trail.page(user_id, PageRequest(request))
        return ListAccountEventsResponse(account_events=map(_message, page.rows), next_page_token=page.next_token)


def _message(event: AccountEvent) -> account_event_pb2.AccountEvent:
    shown = account_event_pb2.AccountEvent(
        name=f"{names.user(event.user_id)}/accountEvents/{event.id}",
        type=account_event_pb2.AccountEvent.Type.Value(event.type),
        ip_address=event.place.address if event.place else "",
        device_info=(event.place.device if event.place else None) or "",
        session=names.session(event.user_id, event.session_id) if event.session_id else "",
    )
    shown.create_time.FromDatetime(event.created_at)
    return shown
