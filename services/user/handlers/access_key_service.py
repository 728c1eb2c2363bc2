"""The operator's hand on the keys of access tokens."""

from services.common.interceptors import Context
from services.common.keys import Keyring
from services.user.store import Store
from spotilike.internal.v1 import user_service_pb2_grpc
from spotilike.internal.v1.user_service_pb2 import RotateAccessKeysRequest, RotateAccessKeysResponse


class AccessKeyService(user_service_pb2_grpc.AccessKeyServiceServicer):
    """Changes the keys that sign access tokens."""

    def __init__(self, keys: Keyring, store: Store) -> None:
        """Change `keys`, and sign everybody out of `store` in an emergency."""
        self._keys = keys
        self._store = store

    async def RotateAccessKeys(self, request: RotateAccessKeysRequest, context: Context) -> RotateAccessKeysResponse:
        """Let the next key sign, or withdraw all."""
        kid = await self._keys.rotate(emergency=request.emergency)
        while request.emergency and await self._end_sessions():
            continue
        return RotateAccessKeysResponse(kid=kid)

    async def _end_sessions(self) -> int:
        async with self._store.begin() as tx:
            return await tx.sessions.end_everybody()
