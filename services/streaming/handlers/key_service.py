"""The public keys of media tokens on the wire."""

from services.common.interceptors import Context
from services.common.keys import Keyring
from spotilike.auth.v1.jwks_pb2 import Jwks
from spotilike.streaming.v1 import key_service_pb2_grpc
from spotilike.streaming.v1.key_service_pb2 import GetMediaJwksRequest


class KeyService(key_service_pb2_grpc.KeyServiceServicer):
    """Publishes the public keys of media tokens."""

    def __init__(self, keys: Keyring) -> None:
        """Publish `keys`."""
        self._keys = keys

    async def GetMediaJwks(self, request: GetMediaJwksRequest, context: Context) -> Jwks:
        """Answer the key set."""
        return await self._keys.jwks()
