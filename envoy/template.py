"""YAML with placeholders.

`${name}` stands for a value. Alone in its place it keeps the value's type, inside a text it is written into it. A list
that stands as an item of a list is spliced in, and a key whose value is None is left out.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


def fill(file: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """Read a YAML mapping and put `values` into it; a placeholder without a value is a KeyError."""
    filled: dict[str, Any] = _fill(yaml.safe_load(file.read_text()), values)
    return filled


def _fill(node: Any, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 (YAML has no narrower type)
    if isinstance(node, dict):
        filled = {key: _fill(value, values) for key, value in node.items()}
        return {key: value for key, value in filled.items() if value is not None}
    if isinstance(node, list):
        return _fill_list(node, values)
    if isinstance(node, str):
        return _fill_text(node, values)
    return node


def _fill_list(node: list[Any], values: Mapping[str, Any]) -> list[Any]:
    result: list[Any] = []
    for item in node:
        filled = _fill(item, values)
        if isinstance(item, str) and isinstance(filled, list):
            result += filled
        else:
            result.append(filled)
    return result


def _fill_text(text: str, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 (a placeholder keeps its value's type)
    alone = _PLACEHOLDER.fullmatch(text)
    if alone:
        return values[alone[1]]
    return _PLACEHOLDER.sub(lambda found: str(values[found[1]]), text)
