"""Runs the user service: `python -m services.user`."""

from datetime import timedelta
from urllib.parse import urlsplit

from services.common import retention
from services.common.auth import TokenVerifier
from services.common.db import Database
from services.common.keys import KeyPolicy, Keyring
from services.common.peers import channel
from services.common.server import Service, run
from services.common.sessions import EndedSessions
from services.common.settings import load
from services.user import tables
from services.user.catalog import Catalog
from services.user.cookies import Cookies
from services.user.domain import ATTEMPTS_FORGOTTEN, SessionPolicy
from services.user.events import exchange
from services.user.gate import Gate
from services.user.handlers.access_key_service import AccessKeyService
from services.user.handlers.account_event_service import AccountEventService
from services.user.handlers.directory_service import DirectoryService
from services.user.handlers.key_service import KeyService
from services.user.handlers.session_service import SessionService
from services.user.handlers.user_service import UserService
from services.user.letters import Letters
from services.user.mailer import Mailer, Smtp
from services.user.passwords import Passwords, hasher
from services.user.settings import Settings
from services.user.store import Store

MAILS_KEPT = timedelta(days=2)
UNCONFIRMED_KEPT = timedelta(days=7)
"""How long an account of the strict mode waits for its address to be confirmed."""


def wire(settings: Settings) -> Service:
    """Put the service together."""
    database = Database(settings)
    store = Store(database)
    life = timedelta(seconds=settings.access_token_seconds)
    key_policy = KeyPolicy(token_life=life + timedelta(minutes=1), rotate_after=timedelta(days=settings.key_days))
    keys = Keyring(database, tables.signing_keys, settings.key_encryption_secret, key_policy)
    passwords = Passwords(
        settings.password_threads,
        settings.password_queue,
        hasher(settings.password_memory_kib, settings.password_passes),
    )
    gate = Gate(store, passwords)
    is_strict = settings.sign_up == "strict"
    policy = SessionPolicy(
        idle=timedelta(days=settings.refresh_token_days),
        absolute=timedelta(days=settings.session_days),
        access_token=life,
        refresh_secret=settings.refresh_secret.get_secret_value().encode(),
        verified_only=is_strict,
    )
    ended = EndedSessions(database, tables.ended_sessions)
    catalog = Catalog(channel(settings.catalog_internal, settings.tls_dir))
    mailer = Mailer(store, Smtp(settings), Letters(settings.public_url, settings.mail_from))
    return Service(
        settings=settings,
        verifier=TokenVerifier(keys, ended),
        public=[
            UserService(store, passwords, gate, catalog, is_strict=is_strict),
            SessionService(store, gate, keys, policy, Cookies(urlsplit(settings.public_url).scheme)),
            AccountEventService(store),
            KeyService(keys),
        ],
        internal=[DirectoryService(store), KeyService(keys), AccessKeyService(keys, store)],
        ready=keys.check,
        background=[
            exchange(settings, database),
            keys.run(),
            ended.run(),
            mailer.run(),
            retention.run(database, _retention(settings, keys, ended)),
        ],
    )


def _retention(settings: Settings, keys: Keyring, ended: EndedSessions) -> list[retention.Rule]:
    return [
        keys.rule(),
        ended.rule(),
        retention.published(tables.outbox),
        retention.Rule(tables.refresh_tokens.c.expires_at, timedelta(days=settings.expired_token_days)),
        retention.Rule(tables.account_events.c.created_at, timedelta(days=settings.trail_days)),
        retention.Rule(tables.mails.c.created_at, MAILS_KEPT),
        retention.Rule(tables.links.c.expires_at, timedelta()),
        retention.Rule(tables.attempts.c.last_at, ATTEMPTS_FORGOTTEN),
        retention.Rule(tables.users.c.unconfirmed_since, UNCONFIRMED_KEPT),
    ]


if __name__ == "__main__":
    run("user", lambda: wire(load(Settings)))
