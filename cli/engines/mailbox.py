"""The mail server of one machine: it takes every mail and keeps it in a Maildir instead of sending it.

`python -m cli.engines.mailbox PORT FOLDER` is the part of the mesh; `./spotilike mail` shows what it keeps.
"""

import asyncio
import sys
from email.message import Message
from mailbox import Maildir
from pathlib import Path

from aiosmtpd.handlers import Message as MessageHandler
from aiosmtpd.smtp import SMTP

from cli.engines.data import ROOT
from cli.engines.parts import Part

_HOST = "127.0.0.1"
_ANNOUNCEMENT = "keeps mails"


def part(port: int, folder: Path, environment: dict[str, str]) -> Part:
    """Describe the process."""
    return Part(
        name="mail",
        argv=[sys.executable, "-P", "-m", __name__, str(port), str(folder)],
        env=environment,
        cwd=ROOT,
        announcement=_ANNOUNCEMENT,
        ports={"smtp": port},
    )


class _Keeper(MessageHandler):
    """Keeps each mail as one file."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._maildir = Maildir(folder)

    def handle_message(self, message: Message) -> None:
        """Keep a mail."""
        self._maildir.add(message)


async def _serve(port: int, folder: Path) -> None:
    keeper = _Keeper(folder)
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(keeper, enable_SMTPUTF8=True), _HOST, port)
    print(_ANNOUNCEMENT, flush=True)  # noqa: T201 (the supervisor waits for this line)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), Path(sys.argv[2])))
