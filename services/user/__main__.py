"""Runs the user service: `python -m services.user`."""

from datetime import timedelta

from services.common import retention
from services.common.auth import TokenVerifier
from services.common.db import Database
from services.common.keys import Keyring
from services.common.server import Service, run
from services.common.settings import load
from services.user.domain import SessionPolicy
from services.user.handlers.directory_service import DirectoryService
from services.user.handlers.key_service import KeyService
from services.user.handlers.session_service import SessionService
from services.user.handlers.user_service import UserService
from services.user.passwords import Passwords
from services.user.settings import Settings
from services.user.store import Store
from services.user.tables import refresh_tokens, signing_keys


def wire(settings: Settings) -> Service:
    """Put the service together."""
    database = Database(settings)
    store = Store(database)
    keys = Keyring(database, signing_keys, settings.key_encryption_secret)
    passwords = Passwords(settings.password_threads, settings.password_queue)
    policy = SessionPolicy(
        idle=timedelta(days=settings.refresh_token_days),
        absolute=timedelta(days=settings.session_days),
        access_token=timedelta(seconds=settings.access_token_seconds),
        refresh_secret=settings.refresh_secret.get_secret_value().encode(),
    )
    expired = retention.Rule(refresh_tokens.c.expires_at, timedelta(days=settings.expired_token_days))
    return Service(
        settings=settings,
        verifier=TokenVerifier(keys),
        public=[UserService(store, passwords), SessionService(store, passwords, keys, policy), KeyService(keys)],
        internal=[DirectoryService(store), KeyService(keys)],
        ready=keys.check,
        background=[retention.run(database, [expired])],
    )


if __name__ == "__main__":
    run("user", lambda: wire(load(Settings)))
