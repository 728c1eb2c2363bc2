"""What the edge has to know of the contracts, read from the descriptor set that `make gen` writes."""

import re
from dataclasses import dataclass
from pathlib import Path

from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet, MethodDescriptorProto, MethodOptions
from google.rpc import error_details_pb2

from spotilike.auth.v1.permission_pb2 import Permission, permission

CONTEXTS = ("user", "catalog", "processing", "streaming")
"""The bounded contexts; the packages `spotilike.<context>.v1` are public, everything else stays behind the edge."""

_BEHIND = ("spotilike.internal", "spotilike.events")
_VERBS = ("get", "put", "post", "delete", "patch")
_REPEATABLE = (MethodOptions.NO_SIDE_EFFECTS, MethodOptions.IDEMPOTENT)


@dataclass(frozen=True)
class Method:
    """One public RPC."""

    context: str
    path: str
    """`/package.Service/Method`, as gRPC names it."""
    http_method: str
    http_template: str
    """Path of its google.api.http rule, such as `/v1/{name=albums/*}`."""
    needs_token: bool
    repeatable: bool
    """Whether carrying it out twice does what once does (`idempotency_level`)."""
    streams: bool
    """Whether the answer is a stream."""
    guest_write: bool
    """Whether it changes something for anybody, with or without a token: sign-up, sign-in, reset."""


@dataclass(frozen=True)
class Contract:
    """The public part of the contracts."""

    services: list[str]
    methods: list[Method]
    descriptors: bytes
    """A FileDescriptorSet without internal packages and comments, with the details of errors."""

    @classmethod
    def read(cls, file: Path) -> "Contract":
        """Read a serialized FileDescriptorSet."""
        every = FileDescriptorSet.FromString(file.read_bytes())
        public = FileDescriptorSet(file=[file for file in every.file if not file.package.startswith(_BEHIND)])
        services = []
        methods = []
        for proto in public.file:
            context = _context(proto.package)
            if context is None:
                continue
            for service in proto.service:
                name = f"{proto.package}.{service.name}"
                services.append(name)
                methods += [_method(context, name, method) for method in service.method]
        return cls(services, methods, _with_error_details(public))


def path_pattern(template: str) -> str:
    """Turn the path of an HTTP rule into a regular expression for whole paths."""
    inner = re.sub(r"\{[^=}]+=([^}]+)\}", r"\1", template)
    inner = re.sub(r"\{[^}]+\}", "*", inner)
    return re.escape(inner).replace(r"\*", "[^/:]+")


def _context(package: str) -> str | None:
    found = re.fullmatch(r"spotilike\.(\w+)\.v1", package)
    return found[1] if found and found[1] in CONTEXTS else None


def _method(context: str, service: str, method: MethodDescriptorProto) -> Method:
    rule = method.options.Extensions[annotations_pb2.http]
    verb = next(verb for verb in _VERBS if getattr(rule, verb))
    needs_token = method.options.Extensions[permission].kind != Permission.NONE
    level = method.options.idempotency_level
    return Method(
        context=context,
        path=f"/{service}/{method.name}",
        http_method=verb.upper(),
        http_template=getattr(rule, verb),
        needs_token=needs_token,
        repeatable=level in _REPEATABLE,
        streams=method.server_streaming,
        guest_write=not needs_token and level != MethodOptions.NO_SIDE_EFFECTS,
    )


def _with_error_details(public: FileDescriptorSet) -> bytes:
    """Add google.rpc.ErrorInfo and its kin, which services attach to errors without their contracts naming them."""
    for file in public.file:
        file.ClearField("source_code_info")
    public.file.add().ParseFromString(error_details_pb2.DESCRIPTOR.serialized_pb)
    return public.SerializeToString(deterministic=True)
