"""Turns the descriptor set into `gen/permissions.md`: every RPC with its path and who may call it.

Run by `generate.py` in an environment whose path holds the generated modules.
"""

from collections.abc import Iterator
from pathlib import Path

from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet, MethodDescriptorProto

from spotilike.auth.v1.permission_pb2 import Permission, permission

GEN = Path(__file__).resolve().parent.parent / "gen"

HEAD = """# Who may call what

Made by `make gen` from the options of the RPCs. The interceptors, Envoy's rules and the permission tests
read the same options.

| RPC | HTTP | who |
|---|---|---|
"""


def rows(files: FileDescriptorSet) -> Iterator[str]:
    """Write one line an RPC."""
    for file in files.file:
        for service in file.service:
            for method in service.method:
                name = f"{file.package.removeprefix('spotilike.')}.{service.name}.{method.name}"
                rule = method.options.Extensions[permission]
                yield f"| {name} | {_path(method)} | {_who(rule, rule.field)} |"


def _path(method: MethodDescriptorProto) -> str:
    rule = method.options.Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    return f"`{verb.upper()} {getattr(rule, verb)}`" if verb else "-"


def _who(rule: Permission, field: str) -> str:
    if rule.kind == Permission.TARGET:
        return "; ".join(f"{each.collection}: {_who(each, field)}" for each in rule.by_collection)
    words = {
        Permission.NONE: "anybody",
        Permission.USER: "any user",
        Permission.SELF: f"the user of `{field}`",
        Permission.MANAGER: f"a manager with {rule.permission} for the artist of `{field}`",
        Permission.SERVICE: f"services: {', '.join(rule.peers)}",
        Permission.ADMIN: "an administrator",
    }[rule.kind]
    return f"{words}, or an administrator" if rule.or_admin else words


if __name__ == "__main__":
    descriptors = FileDescriptorSet.FromString((GEN / "spotilike.binpb").read_bytes())
    (GEN / "permissions.md").write_text(HEAD + "\n".join(sorted(rows(descriptors))) + "\n")
