"""The teams of artists on the wire."""

from collections.abc import Iterable
from uuid import UUID

from google.protobuf.empty_pb2 import Empty

from services.catalog.directory import Directory
from services.catalog.domain import ALL, Manager, artist_not_found, check_grant, last_manager, manager_not_found
from services.catalog.handlers import artist_service
from services.catalog.handlers.authorization import authorize, managed_artist
from services.catalog.store import Store, Transaction
from services.common import auth, names
from services.common.interceptors import Context
from services.common.pages import PageRequest
from spotilike.catalog.v1 import manager_pb2, manager_service_pb2_grpc
from spotilike.catalog.v1.manager_service_pb2 import (
    CreateManagerRequest,
    DeleteManagerRequest,
    ListManagersRequest,
    ListManagersResponse,
    ListMyArtistsRequest,
    ListMyArtistsResponse,
    ManagedArtist,
)


class ManagerService(manager_service_pb2_grpc.ManagerServiceServicer):
    """Adds, shows and removes managers."""

    def __init__(self, store: Store, directory: Directory) -> None:
        """Keep managers in `store`; they have to be in `directory`."""
        self._store = store
        self._directory = directory

    async def CreateManager(self, request: CreateManagerRequest, context: Context) -> manager_pb2.Manager:
        """Add a manager."""
        artist_id, user_id = names.parse(request.parent), names.parse(request.manager.user)
        async with self._store.read() as tx:
            await managed_artist(tx, artist_id)
        # Asked outside of the transaction, which must not wait for another service.
        await self._directory.require(user_id)
        async with self._store.begin() as tx:
            await managed_artist(tx, artist_id)
            if await tx.requests.find(request) is None:
                permissions = list(map(manager_pb2.Manager.Permission.Name, request.manager.permissions))
                if not auth.call().is_admin:
                    check_grant(await tx.managers.granted(artist_id, auth.call().user_id), permissions, artist_id)
                await tx.managers.add(artist_id, user_id, permissions)
                await tx.requests.remember(request, user_id)
            return _message(await _found(tx, artist_id, user_id))

    async def ListManagers(self, request: ListManagersRequest, context: Context) -> ListManagersResponse:
        """List the managers of an artist."""
        artist_id = names.parse(request.parent)
        async with self._store.read() as tx:
            await managed_artist(tx, artist_id)
            page = await tx.managers.page(artist_id, PageRequest(request))
        return ListManagersResponse(managers=map(_message, page.rows), next_page_token=page.next_token)

    async def DeleteManager(self, request: DeleteManagerRequest, context: Context) -> Empty:
        """Remove a manager."""
        _, artist_part, _, user_part = request.name.split("/")
        artist_id, user_id = UUID(artist_part), UUID(user_part)
        async with self._store.begin() as tx:
            # Locked, so that two managers with ALL cannot remove each other.
            if await tx.artists.lock(artist_id) is None:
                raise artist_not_found(artist_id)
            await authorize(tx, artist_id)
            manager = await _found(tx, artist_id, user_id)
            if ALL in manager.permissions and await tx.managers.is_last(artist_id, user_id):
                raise last_manager(artist_id)
            await tx.managers.remove(artist_id, user_id)
        return Empty()

    async def ListMyArtists(self, request: ListMyArtistsRequest, context: Context) -> ListMyArtistsResponse:
        """List the artists that the caller manages."""
        async with self._store.read() as tx:
            page = await tx.managers.artists_of(auth.call().user_id, PageRequest(request))
        managed = [
            ManagedArtist(artist=artist_service.message(artist), permissions=_permissions(granted))
            for artist, granted in page.rows
        ]
        return ListMyArtistsResponse(managed_artists=managed, next_page_token=page.next_token)


async def _found(tx: Transaction, artist_id: UUID, user_id: UUID) -> Manager:
    manager = await tx.managers.find(artist_id, user_id)
    if manager is None:
        raise manager_not_found(artist_id, user_id)
    return manager


def _message(manager: Manager) -> manager_pb2.Manager:
    shown = manager_pb2.Manager(
        name=names.manager(manager.artist_id, manager.user_id),
        user=names.user(manager.user_id),
        permissions=_permissions(manager.permissions),
    )
    shown.create_time.FromDatetime(manager.created_at)
    return shown


def _permissions(granted: Iterable[str]) -> list[manager_pb2.Manager.Permission.ValueType]:
    return [manager_pb2.Manager.Permission.Value(name) for name in granted]
