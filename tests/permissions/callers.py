"""Who calls, and what the contract says about it."""

from dataclasses import dataclass

from spotilike.auth.v1.permission_pb2 import Permission
from spotilike.catalog.v1.manager_pb2 import Manager
from spotilike.errors.v1.error_reason_pb2 import ErrorReason
from tests.support.rpcs import Outcome

ALL = "ALL"
SINGLE = tuple(name for name in Manager.Permission.keys() if name not in ("PERMISSION_UNSPECIFIED", ALL))  # noqa: SIM118 (an enum wrapper, not a dict)

DENIALS = frozenset({"PERMISSION_DENIED", "NOT_FOUND"})
"""How a caller who is known is refused; whoever is not known is UNAUTHENTICATED and nothing else."""


@dataclass(frozen=True)
class Caller:
    """One kind of caller, as the rules of the contract tell them apart."""

    name: str
    is_signed_in: bool = True
    """Whether an access token is sent that is good."""
    sends_another_token: bool = False
    """Whether a token is sent that is good for something else."""
    owns: bool = False
    """Whether the resource belongs to this user."""
    granted: frozenset[str] = frozenset()
    """What this user may do for the artist of the resource."""
    is_admin: bool = False

    def __str__(self) -> str:
        """Name the caller."""
        return self.name


NOBODY = Caller("nobody", is_signed_in=False)
REFRESH_TOKEN = Caller("refresh token", is_signed_in=False, sends_another_token=True)
MEDIA_TOKEN = Caller("media token", is_signed_in=False, sends_another_token=True)
OWNER = Caller("owner", owns=True)
STRANGER = Caller("stranger")
ADMIN = Caller("admin", is_admin=True)
MANAGERS = tuple(Caller(f"manager with {name}", granted=frozenset({name})) for name in (*SINGLE, ALL))
CALLERS = (NOBODY, REFRESH_TOKEN, MEDIA_TOKEN, OWNER, STRANGER, *MANAGERS, ADMIN)


def is_allowed(rule: Permission, caller: Caller) -> bool:
    """Say whether the contract lets a caller in."""
    admin_too = rule.or_admin and caller.is_admin
    let_in = {
        Permission.NONE: not caller.sends_another_token,
        Permission.USER: caller.is_signed_in,
        Permission.SELF: caller.owns or admin_too,
        Permission.MANAGER: not caller.granted.isdisjoint({rule.permission, ALL}) or admin_too,
        Permission.ADMIN: caller.is_admin,
    }
    return let_in.get(rule.kind, False)


def complaint(rule: Permission, caller: Caller, outcome: Outcome) -> str | None:
    """Say what is wrong about the outcome of a call, if anything is."""
    if is_allowed(rule, caller):
        return None if outcome == Outcome("OK") else f"{caller} may, but got {outcome}"
    if outcome.code not in (DENIALS if caller.is_signed_in else {"UNAUTHENTICATED"}):
        return f"{caller} may not, but got {outcome}"
    if outcome.reason not in ErrorReason.keys():  # noqa: SIM118 (an enum wrapper, not a dict)
        return f"{caller} is refused without a reason of the contract: {outcome}"
    return None
