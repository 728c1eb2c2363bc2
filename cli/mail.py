"""`mail`: the mails which this machine would have sent."""

import json
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path

import typer

from cli.engines.data import DataFolder


def mail(data: DataFolder, address: str | None, *, as_json: bool) -> None:
    """Print the captured mails, the oldest first; only those to one address when it is given."""
    letters = captured(data, address)
    if as_json:
        typer.echo(json.dumps(letters, ensure_ascii=False, indent=2))
        return
    if not letters:
        typer.echo("No mail yet." if address is None else f"No mail to {address} yet.")
    for fields in letters:
        typer.echo(f"{fields['time']}  to {fields['to']}\n{fields['subject']}\n\n{fields['text']}\n{'─' * 60}")


def captured(data: DataFolder, address: str | None = None) -> list[dict[str, str]]:
    """Return time, receiver, subject and text of the captured mails, the oldest first."""
    letters = map(_fields, _letters(data.mail))
    return [fields for fields in letters if address is None or fields["to"] == address.lower()]


def _letters(folder: Path) -> list[EmailMessage]:
    """Read the Maildir; what is still being written is not in it yet."""
    files = [file for part in ("new", "cur") for file in (folder / part).glob("*")]
    files.sort(key=lambda file: file.stat().st_mtime_ns)
    return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]


def _fields(letter: EmailMessage) -> dict[str, str]:
    body = letter.get_body(("plain",))
    return {
        "time": parsedate_to_datetime(letter["Date"]).isoformat(),
        "to": _to(letter),
        "subject": str(letter["Subject"]),
        "text": body.get_content().strip() if body else "",
    }


def _to(letter: EmailMessage) -> str:
    return str(letter["To"]).lower()
