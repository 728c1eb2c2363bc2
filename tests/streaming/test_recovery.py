"""What is put right after the database of streaming went back to a moment: media tokens from before open nothing."""

from services.streaming.recovery import recover
from services.streaming.settings import RecoverySettings
from tests.support.rows import rows_of

KEYS = """
    INSERT INTO signing_keys (kid, sealed_key, retired_at) VALUES
    ('next', 'sealed', NULL), ('leaving', 'sealed', now() + interval '1 hour'), ('gone', 'sealed', now())
"""


async def test_the_keys_of_all_media_tokens_are_withdrawn_once(databases):
    """Those that sign, and those that have signed; the second time there is nothing left to do."""
    async with rows_of(databases, "streaming", "past") as rows:
        await rows(KEYS)
        settings = RecoverySettings(database_url=await databases.fresh("streaming", "past"))

        assert [await recover(settings) for _ in range(2)] == [{"keys_withdrawn": 2}, {"keys_withdrawn": 0}]
        assert not await rows("SELECT 1 FROM signing_keys WHERE retired_at IS NULL OR retired_at > now()")
