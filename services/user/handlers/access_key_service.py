"""The operator's hand on the keys of access tokens."""

from services.common.interceptors import Context
from services.common.keys import Keyring
from spotilike.internal.v1 import user_service_pb2_grpc
from spotilike.internal.v1.user_service_pb2 import RotateAccessKeysRequest, RotateAccessKeysResponse


class AccessKeyService(user_service_pb2_grpc.AccessKeyServiceServicer):
    """Changes the keys that sign access tokens."""

    def __init__(self, keys: Keyring) -> None:
        """Change `keys`."""
        self._keys = keys

    async def RotateAccessKeys(self, request: RotateAccessKeysRequest, context: Context) -> RotateAccessKeysResponse:
        """Let the next key sign, or withdraw all."""
        return RotateAccessKeysResponse(kid=await self._keys.rotate(emergency=request.emergency))
