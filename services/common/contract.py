"""What the contract says about each RPC: its permission and whether it changes anything."""

import sys
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from spotilike.auth.v1.permission_pb2 import Permission, permission


@dataclass(frozen=True)
class Method:
    """One RPC of the contract."""

    path: str
    """`/package.Service/Method`."""
    permission: Permission
    """Who may call it."""
    read_only: bool
    """Whether calling it again, or giving up on it, does no harm."""
    kind: str = "unary"
    """`unary`, or `server_stream` where it answers more than once."""

    @cached_property
    def labels(self) -> tuple[str, str, str]:
        """Kind, service and name, as metrics tell RPCs apart."""
        service, _, name = self.path[1:].partition("/")
        return self.kind, service, name


def base_of(servicer: object) -> type[Any]:
    """Find the generated class that a servicer implements."""
    return next(kind for kind in type(servicer).__mro__ if kind.__module__.endswith("_pb2_grpc"))


def service_of(servicer: object) -> ServiceDescriptor:
    """Find the contract of a servicer."""
    base = base_of(servicer)
    messages = sys.modules[base.__module__.removesuffix("_grpc")]
    descriptor: ServiceDescriptor = messages.DESCRIPTOR.services_by_name[base.__name__.removesuffix("Servicer")]
    return descriptor


def methods(servicer: object) -> dict[str, Method]:
    """Read the contract of every RPC of a servicer."""
    found = {}
    for method in service_of(servicer).methods:
        path = f"/{method.containing_service.full_name}/{method.name}"
        if method.client_streaming:
            raise TypeError(f"{path} streams its requests: nothing here could check them one by one")
        options = method.GetOptions()
        read_only = options.idempotency_level == MethodOptions.NO_SIDE_EFFECTS
        kind = "server_stream" if method.server_streaming else "unary"
        found[path] = Method(path, options.Extensions[permission], read_only, kind)
    return found
