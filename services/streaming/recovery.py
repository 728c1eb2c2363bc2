"""What is put right in the streaming context after its database went back to a moment.

`python -m services.provision recover streaming`, while the service is stopped.
"""

from services.common import keys
from services.common.db import Database, opened
from services.streaming.settings import RecoverySettings
from services.streaming.tables import signing_keys


async def recover(settings: RecoverySettings) -> dict[str, int]:
    """Withdraw the keys of all media tokens; answers how many that were."""
    async with opened(settings) as database:
        return {"keys_withdrawn": await withdraw_keys(database)}


async def withdraw_keys(database: Database) -> int:
    """Withdraw the keys of all media tokens; answers how many that were."""
    async with database.begin() as connection:
        return await keys.withdraw_all(connection, signing_keys)
