"""A real SMTP server of the test process that keeps what it gets."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from email.message import Message

import pytest
from aiosmtpd.handlers import Message as MessageHandler
from aiosmtpd.smtp import SMTP, Envelope, Session

MAIL_SECONDS = 10


class Mailbox(MessageHandler):
    """Everybody's mails."""

    def __init__(self) -> None:
        super().__init__()
        self.letters: list[Message] = []
        self.port = 0
        self.is_away = False
        """Whether the server turns every mail away for now."""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Take a mail, unless the server is away."""
        if self.is_away:
            return "451 Come back later"
        answer: str = await super().handle_DATA(server, session, envelope)
        return answer

    def handle_message(self, message: Message) -> None:
        """Keep a mail."""
        self.letters.append(message)

    def to(self, address: str) -> list[Message]:
        """Return the mails to an address, the oldest first."""
        return [letter for letter in self.letters if letter["To"] == address]

    async def letter(self, address: str, is_it: Callable[[Message], bool] = lambda _: True) -> Message:
        """Wait for a mail to an address and return the newest of them."""
        async with asyncio.timeout(MAIL_SECONDS):
            while not (found := [letter for letter in self.to(address) if is_it(letter)]):
                await asyncio.sleep(0.05)
        return found[-1]

    async def token(self, address: str, page: str) -> str:
        """Wait for a mail with a link to a page of the player and return what the newest one carries."""
        link = re.compile(rf"/{page}#token=(\S+)")
        letter = await self.letter(address, lambda letter: bool(link.search(text(letter))))
        found = link.search(text(letter))
        assert found
        return found[1]


def text(letter: Message) -> str:
    """Read the words of a mail."""
    payload = letter.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


@pytest.fixture(scope="session")
async def mailbox() -> AsyncIterator[Mailbox]:
    """Return the mails of this worker."""
    box = Mailbox()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(box, enable_SMTPUTF8=True), "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    yield box
    server.close()
