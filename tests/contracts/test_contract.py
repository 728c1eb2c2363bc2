"""Every RPC of the contract has a handler, a path, a permission and words that are true."""

import ast
import importlib
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor_pb2 import MethodOptions

from spotilike.auth.v1.permission_pb2 import Permission, permission
from spotilike.catalog.v1.manager_pb2 import Manager
from spotilike.errors.v1.error_reason_pb2 import ErrorReason

ROOT = Path(__file__).resolve().parents[2]
SET = descriptor_pb2.FileDescriptorSet.FromString((ROOT / "gen" / "spotilike.binpb").read_bytes())
OURS = [file for file in SET.file if file.package.startswith("spotilike.")]
for file in OURS:
    importlib.import_module(file.name.removesuffix(".proto").replace("/", ".") + "_pb2")


@dataclass(frozen=True)
class Rpc:
    """One RPC as the contract writes it."""

    file: str
    package: str
    service: str
    name: str
    input_type: str
    comment: str

    def __str__(self):
        return f"{self.service}.{self.name}"

    @property
    def is_internal(self):
        """Whether it is for services alone."""
        return self.package == "spotilike.internal.v1"

    @property
    def options(self):
        """Its options, with our extensions."""
        service = descriptor_pool.Default().FindServiceByName(f"{self.package}.{self.service}")
        return service.methods_by_name[self.name].GetOptions()

    @property
    def request(self):
        """The message it takes."""
        return descriptor_pool.Default().FindMessageTypeByName(self.input_type)

    @property
    def handlers(self):
        """The module that has to serve it."""
        context = Path(self.file).name.removesuffix("_service.proto") if self.is_internal else self.file.split("/")[1]
        return f"services.{context}.handlers.{snake(self.service)}"


def snake(name):
    """Write TrackService as track_service."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def rpcs():
    """List every RPC."""
    for file in OURS:
        comments = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
        for number, service in enumerate(file.service):
            for place, method in enumerate(service.method):
                comment = comments.get((6, number, 2, place), "")
                yield Rpc(file.name, file.package, service.name, method.name, method.input_type.lstrip("."), comment)


RPCS = list(rpcs())


@pytest.mark.parametrize("rpc", RPCS, ids=str)
def test_every_rpc_has_a_handler_of_its_name(rpc):
    """services/<context>/handlers/<service>.py holds a class of the service's name with the method."""
    servicer = getattr(importlib.import_module(rpc.handlers), rpc.service)

    assert rpc.name in vars(servicer), f"{servicer} leaves {rpc.name} to the generated class"


@pytest.mark.parametrize("rpc", RPCS, ids=str)
def test_every_public_rpc_has_a_path_and_no_internal_one_has(rpc):
    """What has no path cannot be reached with JSON."""
    http = rpc.options.Extensions[annotations_pb2.http]

    assert bool(http.WhichOneof("pattern")) is not rpc.is_internal
    assert not http.put, "state is changed by PATCH and by custom verbs"


@pytest.mark.parametrize("rpc", RPCS, ids=str)
def test_every_rpc_says_who_may_call_it(rpc):
    """The option is whole: its field exists in the request and its permission among the managers' ones."""
    who = rpc.options.Extensions[permission]
    chosen = [(rule.collection, rule) for rule in who.by_collection] or [("", who)]

    assert who.kind != Permission.KIND_UNSPECIFIED
    assert (who.kind == Permission.SERVICE) is rpc.is_internal
    assert bool(who.field) is (who.kind in (Permission.SELF, Permission.MANAGER, Permission.TARGET))
    assert bool(who.by_collection) is (who.kind == Permission.TARGET)
    assert len({collection for collection, _ in chosen}) == len(chosen)
    for collection, rule in chosen:
        assert bool(collection) is (who.kind == Permission.TARGET)
        assert rule is who or rule.kind in (Permission.SELF, Permission.MANAGER)
        assert bool(rule.permission) is (rule.kind == Permission.MANAGER)
        if rule.permission:
            assert rule.permission in Manager.Permission.keys()  # noqa: SIM118 (an enum wrapper, not a dict)
    message = rpc.request
    for part in filter(None, who.field.split(".")):
        assert message is not None
        assert part in message.fields_by_name
        message = message.fields_by_name[part].message_type


@pytest.mark.parametrize("rpc", RPCS, ids=str)
def test_every_rpc_is_described_with_its_permission_and_its_errors(rpc):
    """One sentence, `Requires:`, `Errors:` with reasons that exist."""
    lines = [line.strip() for line in rpc.comment.strip().splitlines()]
    requires = [line for line in lines if line.startswith("Requires: ")]
    errors = " ".join(lines).partition("Errors: ")[2]
    reasons = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", errors))

    assert len(requires) == 1
    assert reasons or "none of its own" in errors
    assert reasons <= set(ErrorReason.keys())


@pytest.mark.parametrize("rpc", RPCS, ids=str)
def test_the_words_of_every_rpc_say_what_its_option_says(rpc):
    """Whoever changes an option by mistake contradicts the words beside it."""
    who = rpc.options.Extensions[permission]
    words = " ".join(rpc.comment.split()).partition("Requires: ")[2].partition(" Errors: ")[0]

    assert re.match(f"{words_of(who)}\\b", words), f"{words!r} does not begin with {words_of(who)!r}"
    assert ("or admin" in words) is who.or_admin


def words_of(who):
    """Write a rule as comments do."""
    if who.kind == Permission.SERVICE:
        return "the operator's command line" if list(who.peers) == ["cli"] else "service"
    if who.kind == Permission.TARGET:
        managed = [rule for rule in who.by_collection if rule.kind == Permission.MANAGER]
        permissions = ", ".join(f"{rule.permission} for an {rule.collection.removesuffix('s')}" for rule in managed)
        return f"{permissions}; for a user, to be that user" if len(managed) < len(who.by_collection) else permissions
    return who.permission or Permission.Kind.Name(who.kind).lower()


@pytest.mark.parametrize("rpc", [rpc for rpc in RPCS if rpc.is_internal], ids=str)
def test_services_only_read_from_each_other(rpc):
    """`services/common/peers.py` asks another replica again; what changes something is for the command line alone."""
    reads = rpc.options.idempotency_level == MethodOptions.NO_SIDE_EFFECTS

    assert reads or list(rpc.options.Extensions[permission].peers) == ["cli"]


@pytest.mark.parametrize("rpc", RPCS, ids=str)
def test_reads_are_marked_as_reads(rpc):
    """Clients and the edge may repeat what is marked so, and nothing else."""
    reads = rpc.name.startswith(("Get", "List", "Watch", "Lookup", "Resolve", "Check"))

    assert (rpc.options.idempotency_level == MethodOptions.NO_SIDE_EFFECTS) is reads


@pytest.mark.parametrize("rpc", RPCS, ids=str)
def test_creates_can_be_repeated_without_harm(rpc):
    """Every create but those of sessions and accounts takes a request id (AIP-155)."""
    if rpc.name.startswith(("Create", "Start")) and rpc.service not in {"SessionService", "UserService"}:
        assert "request_id" in rpc.request.fields_by_name


def raised_reasons() -> dict[str, set[str]]:
    """Find every reason that the code refuses with, by file."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "services").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name in REFUSALS and isinstance(node.args[0].value, str):
                    found.setdefault(node.args[0].value, set()).add(str(path.relative_to(ROOT)))
    return found


REFUSALS = {
    "NotFound",
    "AlreadyExists",
    "Unauthenticated",
    "PermissionDenied",
    "FailedPrecondition",
    "ResourceExhausted",
    "Unavailable",
    "DeadlineExceeded",
    "InvalidArgument",
}


def test_every_reason_in_the_code_is_in_the_contract():
    """A client can look every reason up."""
    raised = raised_reasons()

    assert len(raised) > 10, "the search finds too little to mean anything"
    assert set(raised) <= set(ErrorReason.keys())


def test_every_reason_in_the_contract_is_in_the_code():
    """What is never sent is not promised."""
    sources = [*(ROOT / "services").rglob("*.py"), *(ROOT / "envoy").rglob("*.*"), *(ROOT / "cli").rglob("*.py")]
    text = "\n".join(path.read_text() for path in sources if path.suffix in {".py", ".yaml", ".lua"})
    promised = set(ErrorReason.keys()) - {"ERROR_REASON_UNSPECIFIED"}

    assert {reason for reason in promised if reason not in text} == set()
