"""Headers as Envoy writes them in its configuration."""

from collections.abc import Mapping
from typing import Any


def header(name: str, value: str) -> dict[str, Any]:
    """Set a header, whatever was there."""
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def headers(values: Mapping[str, str]) -> list[dict[str, Any]]:
    """Set several headers."""
    return [header(name, value) for name, value in values.items()]
