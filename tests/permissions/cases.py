"""What the matrix has a line for: each rule of each public RPC."""

from collections.abc import Iterator
from dataclasses import dataclass

from spotilike.auth.v1.permission_pb2 import Permission
from tests.support.rpcs import PUBLIC, Rpc


@dataclass(frozen=True)
class Case:
    """An RPC under one of its rules; most have one, some have one for each collection that they are about."""

    rpc: Rpc
    rule: Permission

    def __str__(self) -> str:
        """Name the RPC, and the collection that chooses the rule."""
        return f"{self.rpc} of {self.rule.collection}" if self.rule.collection else str(self.rpc)


def _cases() -> Iterator[Case]:
    for rpc in PUBLIC:
        rules = rpc.permission.by_collection or [rpc.permission]
        yield from (Case(rpc, rule) for rule in rules)


CASES = {str(case): case for case in _cases()}
