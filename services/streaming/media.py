"""Media access: the paths of a track's files at the edge, and tokens that open exactly its folder.

The edge verifies a token with the published keys and compares the requested path with its claim `pfx`; no service is
asked for media.
"""

from datetime import datetime, timedelta

from services.common.buckets import AUDIO
from services.common.keys import Keyring
from services.streaming.domain import Playback

ISSUER = "https://spotilike.dev/streaming"
AUDIENCE = "spotilike-media"
TOKEN_TYPE = "media+jwt"  # noqa: S105 (a type, not a token)


class MediaAccess:
    """Signs media tokens."""

    def __init__(self, keys: Keyring, life: timedelta) -> None:
        """Sign with `keys`; a token lives for `life`."""
        self._keys = keys
        self._life = life

    async def check(self) -> None:
        """Prepare to sign; to be called before the transaction in which a token is signed."""
        await self._keys.check()

    async def token(self, playback: Playback, now: datetime) -> tuple[str, datetime]:
        """Answer a token for the folder of a playback, and when it ends."""
        expires = now + self._life
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(playback.user_id),
            "play": str(playback.id),
            "pfx": f"{_folder(playback)}/",
            "iat": int(now.timestamp()),
            "exp": int(expires.timestamp()),
        }
        return await self._keys.sign(claims, TOKEN_TYPE), expires


def uri(playback: Playback, file: str) -> str:
    """Answer the path at the edge of a file of a playback's folder."""
    return f"/media/{_folder(playback)}/{file}"


def _folder(playback: Playback) -> str:
    return f"{AUDIO}/{playback.folder}"
