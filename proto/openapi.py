"""Turns the descriptor set into `gen/openapi.json`, the OpenAPI 3.1 description of the JSON paths.

Run by `generate.py` in an environment whose path holds the generated modules.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.api import annotations_pb2, field_behavior_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)
from google.protobuf.internal.containers import RepeatedCompositeFieldContainer

from spotilike.auth.v1.permission_pb2 import Permission, permission

GEN = Path(__file__).resolve().parent.parent / "gen"

Schema = dict[str, Any]
Comments = dict[tuple[int, ...], str]

# Numbers of fields in descriptor.proto, of which the paths of comments consist.
_FILE_MESSAGES, _FILE_ENUMS, _FILE_SERVICES = 4, 5, 6
_MESSAGE_FIELDS, _MESSAGE_NESTED, _MESSAGE_ENUMS = 2, 3, 4
_SERVICE_METHODS = 2

_VERBS = ("get", "put", "post", "delete", "patch")

_SCALARS: dict[int, Schema] = {
    FieldDescriptorProto.TYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptorProto.TYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptorProto.TYPE_INT64: {"type": "string", "format": "int64"},
    FieldDescriptorProto.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptorProto.TYPE_STRING: {"type": "string"},
    FieldDescriptorProto.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
}
_WELL_KNOWN: dict[str, Schema] = {
    ".google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    ".google.protobuf.Duration": {"type": "string", "pattern": r"^-?\d+(\.\d+)?s$"},
    ".google.protobuf.FieldMask": {"type": "string"},
}
_ONE_A_LINE = "One object a line, until the stream ends."
_STATUS: Schema = {
    "type": "object",
    "description": "What every error is.",
    "properties": {
        "code": {"type": "integer", "description": "google.rpc.Code."},
        "message": {"type": "string", "description": "What to do, for people."},
        "details": {
            "type": "array",
            "description": "Always a google.rpc.ErrorInfo, whose `reason` is for programs; perhaps a "
            "google.rpc.BadRequest and a google.rpc.RetryInfo.",
            "items": {"type": "object", "properties": {"@type": {"type": "string"}}},
        },
    },
}


@dataclass(frozen=True)
class Type:
    """A message or an enum with what its contract says about it."""

    descriptor: DescriptorProto | EnumDescriptorProto
    comment: str
    field_comments: dict[str, str]


class Api:
    """The description while it is being written."""

    def __init__(self, files: Iterable[FileDescriptorProto]) -> None:
        """Describe every RPC of `files` that has a JSON path."""
        self._files = list(files)
        self._types = {name: found for file in self._files for name, found in _types(file)}
        self._schemas: dict[str, Schema] = {"google.rpc.Status": _STATUS}

    def document(self) -> Schema:
        """Write the whole description."""
        paths: dict[str, Schema] = {}
        for file in self._files:
            comments = _comments(file)
            for place, service in enumerate(file.service):
                for number, method in enumerate(service.method):
                    if method.options.HasExtension(annotations_pb2.http):
                        comment = comments[(_FILE_SERVICES, place, _SERVICE_METHODS, number)]
                        verb, template = _rule(method)
                        path = paths.setdefault(_openapi_path(template), {})
                        path[verb] = self._operation(service.name, method, template, comment)
        token = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        return {
            "openapi": "3.1.0",
            "info": {"title": "Spotilike", "version": "1", "description": "The JSON paths of the API."},
            "servers": [{"url": "/"}],
            "paths": dict(sorted(paths.items())),
            "components": {
                "schemas": dict(sorted(self._schemas.items())),
                "securitySchemes": {"accessToken": token},
            },
        }

    def _operation(self, service: str, method: MethodDescriptorProto, template: str, comment: str) -> Schema:
        body = method.options.Extensions[annotations_pb2.http].body
        request = self._types[method.input_type]
        in_path = {binding.split(".")[0] for binding in re.findall(r"\{([\w.]+)", template)}
        fields = [field for field in _fields(request) if field.name == body or field.name not in in_path]
        in_query = [field for field in fields if body not in ("*", field.name)]
        operation: Schema = {
            "operationId": f"{service}_{method.name}",
            "tags": [service],
            "summary": re.split(r"(?<=\.)\s", comment)[0],
            "description": comment,
            "parameters": [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in re.findall(r"\{(\w+)}", _openapi_path(template))
            ]
            + [
                {"name": field.json_name, "in": "query", "required": _is_required(field), "schema": schema}
                for field in in_query
                for schema in [self._field(field, request)]
            ],
            "responses": {
                "200": {
                    "description": _ONE_A_LINE if method.server_streaming else "Done.",
                    "content": _json(self._reference(method.output_type)),
                },
                "default": {"description": "Refused.", "content": _json(self._reference(".google.rpc.Status"))},
            },
            "security": _security(method),
        }
        if body == "*":
            required = [field.json_name for field in fields if _is_required(field)]
            content = self._object(request, fields) | ({"required": required} if required else {})
            operation["requestBody"] = {"required": True, "content": _json(content)}
        elif body:
            [resource] = (field for field in fields if field.name == body)
            operation["requestBody"] = {"required": True, "content": _json(self._reference(resource.type_name))}
        return operation

    def _reference(self, type_name: str) -> Schema:
        name = type_name.lstrip(".")
        if name not in self._schemas:
            self._schemas[name] = {}  # A message may contain itself.
            found = self._types[type_name]
            self._schemas[name] = self._schema(found) | {"description": found.comment}
        return {"$ref": f"#/components/schemas/{name}"}

    def _schema(self, found: Type) -> Schema:
        if isinstance(found.descriptor, EnumDescriptorProto):
            return {"type": "string", "enum": [value.name for value in found.descriptor.value]}
        return self._object(found, _fields(found))

    def _object(self, owner: Type, fields: Iterable[FieldDescriptorProto]) -> Schema:
        # Which fields a resource needs depends on the call: a PATCH sends some of them.
        return {"type": "object", "properties": {field.json_name: self._field(field, owner) for field in fields}}

    def _field(self, field: FieldDescriptorProto, owner: Type) -> Schema:
        schema = _SCALARS.get(field.type) or _WELL_KNOWN.get(field.type_name) or self._reference(field.type_name)
        if field.label == FieldDescriptorProto.LABEL_REPEATED:
            schema = {"type": "array", "items": schema}
        behavior = field.options.Extensions[field_behavior_pb2.field_behavior]
        marks: Schema = {}
        if field_behavior_pb2.OUTPUT_ONLY in behavior:
            marks["readOnly"] = True
        if field_behavior_pb2.INPUT_ONLY in behavior:
            marks["writeOnly"] = True
        return schema | {"description": owner.field_comments[field.name]} | marks


def _types(file: FileDescriptorProto) -> Iterator[tuple[str, Type]]:
    """Find every message and enum of a file by its full name, nested ones too."""
    comments = _comments(file)

    def enums(prefix: str, path: tuple[int, ...], found: Iterable[EnumDescriptorProto]) -> Iterator[tuple[str, Type]]:
        for number, enum in enumerate(found):
            yield f"{prefix}.{enum.name}", Type(enum, comments.get((*path, number), ""), {})

    def messages(prefix: str, path: tuple[int, ...], found: Iterable[DescriptorProto]) -> Iterator[tuple[str, Type]]:
        for number, message in enumerate(found):
            name, here = f"{prefix}.{message.name}", (*path, number)
            fields = {
                field.name: comments.get((*here, _MESSAGE_FIELDS, place), "")
                for place, field in enumerate(message.field)
            }
            yield name, Type(message, comments.get(here, ""), fields)
            yield from messages(name, (*here, _MESSAGE_NESTED), message.nested_type)
            yield from enums(name, (*here, _MESSAGE_ENUMS), message.enum_type)

    yield from messages(f".{file.package}", (_FILE_MESSAGES,), file.message_type)
    yield from enums(f".{file.package}", (_FILE_ENUMS,), file.enum_type)


def _comments(file: FileDescriptorProto) -> Comments:
    return {
        tuple(place.path): place.leading_comments.strip().replace("\n ", "\n")
        for place in file.source_code_info.location
    }


def _fields(found: Type) -> "RepeatedCompositeFieldContainer[FieldDescriptorProto]":
    if isinstance(found.descriptor, EnumDescriptorProto):
        raise TypeError(f"{found.descriptor.name} is an enum")
    return found.descriptor.field


def _is_required(field: FieldDescriptorProto) -> bool:
    return field_behavior_pb2.REQUIRED in field.options.Extensions[field_behavior_pb2.field_behavior]


def _rule(method: MethodDescriptorProto) -> tuple[str, str]:
    rule = method.options.Extensions[annotations_pb2.http]
    verb = next(verb for verb in _VERBS if getattr(rule, verb))
    return verb, getattr(rule, verb)


def _openapi_path(template: str) -> str:
    """Write `/v1/{name=albums/*}` as `/v1/albums/{album}`."""
    flat = re.sub(r"\{[\w.]+=([^}]+)}", r"\1", template)
    return re.sub(r"(\w+)s/\*", r"\1s/{\1}", flat)


def _security(method: MethodDescriptorProto) -> list[Schema]:
    token: Schema = {"accessToken": []}
    return [{}, token] if method.options.Extensions[permission].kind == Permission.NONE else [token]


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}


def main() -> None:
    """Write the description beside the descriptor set."""
    files = FileDescriptorSet.FromString((GEN / "spotilike.binpb").read_bytes())
    document = Api(files.file).document()
    (GEN / "openapi.json").write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
