"""Update masks (AIP-134): which fields of a resource a request means to change."""

import re

from google.api.field_behavior_pb2 import FieldBehavior, field_behavior
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from services.common import errors

FIXED = {FieldBehavior.OUTPUT_ONLY, FieldBehavior.IDENTIFIER, FieldBehavior.IMMUTABLE}


def changed(resource: Message, mask: FieldMask) -> frozenset[str]:
    """Name the fields of `resource` to change.

    No mask means those that are set, `*` means every field that can be changed. Fields that only the platform
    sets are ignored; an unknown path is refused. Only whole fields are changed.
    """
    changeable = {
        field.name
        for field in resource.DESCRIPTOR.fields
        if FIXED.isdisjoint(field.GetOptions().Extensions[field_behavior])
    }
    paths = [_snake(path) for path in mask.paths]
    if paths == ["*"]:
        return frozenset(changeable)
    if not paths:
        return frozenset(field.name for field, _ in resource.ListFields()) & changeable
    unknown = [path for path in paths if path not in resource.DESCRIPTOR.fields_by_name]
    if unknown:
        raise errors.InvalidFields(
            *(errors.Violation("update_mask", f"{path} is not a field of the resource") for path in unknown)
        )
    return frozenset(paths) & changeable


def _snake(path: str) -> str:
    """Accept the JSON spelling of a field as well, which clients write into the query."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: f"_{match.group(1).lower()}", path)
