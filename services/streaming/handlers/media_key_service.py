"""The operator's hand on the keys of media tokens."""

from services.common.interceptors import Context
from services.common.keys import Keyring
from spotilike.internal.v1 import streaming_service_pb2_grpc
from spotilike.internal.v1.streaming_service_pb2 import RotateMediaKeysRequest, RotateMediaKeysResponse


class MediaKeyService(streaming_service_pb2_grpc.MediaKeyServiceServicer):
    """Changes the keys that sign media tokens."""

    def __init__(self, keys: Keyring) -> None:
        """Change `keys`."""
        self._keys = keys

    async def RotateMediaKeys(self, request: RotateMediaKeysRequest, context: Context) -> RotateMediaKeysResponse:
        """Let the next key sign, or withdraw all."""
        return RotateMediaKeysResponse(kid=await self._keys.rotate(emergency=request.emergency))
