"""Sends the mails that calls have left in the database.

A link is made at the moment in which its mail is written, so that no table ever holds what it carries. Whether an
address has an account is looked up here as well: the call that asked has answered long before. No transaction waits
for the mail server; a mail whose sender dies is sent again later.
"""

import asyncio
from email.message import EmailMessage
from typing import Protocol

import aiosmtplib
import structlog

from services.user.domain import RESET_LIFE, VERIFICATION_LIFE, Link, Mail, MailKind, User, folded, new_token
from services.user.letters import Letters
from services.user.settings import Settings
from services.user.store import Store, Transaction

IDLE_SECONDS = 0.5
OUTAGE_SECONDS = 2.0
SMTP_SECONDS = 10.0
"""How long the mail server may take; the next try begins later."""
LIVES = {MailKind.VERIFY_EMAIL: VERIFICATION_LIFE, MailKind.RESET_PASSWORD: RESET_LIFE}

log = structlog.get_logger("mailer")


class Post(Protocol):
    """Carries mails."""

    async def send(self, letter: EmailMessage) -> None:
        """Hand a mail over; raises when it was not taken."""


class Smtp:
    """An SMTP server."""

    def __init__(self, settings: Settings) -> None:
        """Send through the server of `settings`."""
        self._settings = settings

    async def send(self, letter: EmailMessage) -> None:
        """Hand a mail over; raises when it was not taken."""
        settings = self._settings
        await aiosmtplib.send(
            letter,
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_username or None,
            password=settings.smtp_password.get_secret_value() or None,
            use_tls=settings.smtp_security == "tls",
            start_tls=settings.smtp_security == "starttls",
            timeout=SMTP_SECONDS,
        )


class Mailer:
    """Takes mails from the store and hands them over, again and again until they are taken."""

    def __init__(self, store: Store, post: Post, letters: Letters) -> None:
        """Send what `store` holds through `post`."""
        self._store = store
        self._post = post
        self._letters = letters

    async def run(self) -> None:
        """Send until cancelled. While the database or the mail server is away, mails wait."""
        while True:
            try:
                pause = 0.0 if await self._send_next() else IDLE_SECONDS
            except Exception as error:  # noqa: BLE001 (an outage of the database: the mails wait there)
                log.warning("mails_not_read", error=type(error).__name__)
                pause = OUTAGE_SECONDS
            await asyncio.sleep(pause)

    async def _send_next(self) -> bool:
        """Send one mail; answers whether there was one."""
        async with self._store.begin() as tx:
            mail = await tx.mails.take()
        if mail is None:
            return False
        try:
            letter = await self._write(mail)
            if letter is not None:
                async with asyncio.timeout(SMTP_SECONDS):
                    await self._post.send(letter)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            log.warning("mail_not_taken", kind=mail.kind, error=type(error).__name__)
        else:
            async with self._store.begin() as tx:
                await tx.mails.done(mail)
        return True

    async def _write(self, mail: Mail) -> EmailMessage | None:
        """Write a mail; None when nobody is to get it."""
        if mail.kind not in LIVES:
            return self._letters.write(mail.kind, mail.language, mail.address)
        async with self._store.begin() as tx:
            user = await _lock_receiver(tx, mail)
            # Withdrawn mails are looked for under the lock: a new password has made their links worthless.
            if user is None or user.is_disabled or not await tx.mails.is_waiting(mail):
                return None
            address = mail.address if mail.kind is MailKind.VERIFY_EMAIL else user.email
            token = new_token()
            await tx.links.add(token, mail.kind, Link(user.id, address), LIVES[mail.kind])
        return self._letters.write(mail.kind, mail.language, address, token)


async def _lock_receiver(tx: Transaction, mail: Mail) -> User | None:
    """Find and lock the account that a link is for: named by the mail, or by the address that somebody typed."""
    if mail.user_id:
        return await tx.users.lock(mail.user_id)
    owner = await tx.users.find_by_email(mail.address)
    user = await tx.users.lock(owner.id) if owner else None
    return user if user and folded(user.email) == folded(mail.address) else None
