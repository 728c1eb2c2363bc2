"""The rules of a request's fields: those that the contract writes (protovalidate), and what PostgreSQL can keep."""

import re
from collections.abc import Iterator

import protovalidate
from google.protobuf.message import Message

from services.common import errors


def check(request: Message) -> None:
    """Refuse with every field that breaks a rule."""
    found = [
        errors.Violation(_path(violation), _words(violation)) for violation in protovalidate.collect_violations(request)
    ]
    found += [errors.Violation(path, "may not contain the character U+0000") for path in _unstorable(request, "")]
    if found:
        raise errors.InvalidFields(*found)


def _words(violation: protovalidate.Violation) -> str:
    """Say what a field has to be; the pattern of a resource name would tell a person nothing."""
    name = re.match(r"\^([A-Za-z]+)/", str(violation.rule_value))
    if violation.proto.rule_id == "string.pattern" and name:
        return f"has to be the name of a resource in {name[1]}/, as the API answered it"
    return violation.proto.message or "is not valid"


def _unstorable(message: Message, prefix: str) -> Iterator[str]:
    """Find texts with a NUL, which protobuf carries and PostgreSQL cannot keep."""
    for field, value in message.ListFields():
        path = f"{prefix}{field.name}"
        items = (
            [(f"{path}[{place}]", item) for place, item in enumerate(value)] if field.is_repeated else [(path, value)]
        )
        for name, item in items:
            if isinstance(item, str) and "\0" in item:
                yield name
            elif isinstance(item, Message):
                yield from _unstorable(item, f"{name}.")


def _path(violation: protovalidate.Violation) -> str:
    path = ""
    if violation.proto.field is None:
        return path
    for element in violation.proto.field.elements:
        path += f".{element.field_name}" if path else f"{element.field_name}"
        if element.subscript is not None:
            path += f"[{element.subscript.value}]"
    return path
