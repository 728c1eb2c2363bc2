"""Every RPC lets in whom the contract names, and nobody else, in every protocol."""

import pytest

from services.common import auth
from tests.permissions.callers import CALLERS, complaint, is_allowed
from tests.permissions.cases import CASES, Case
from tests.permissions.recipes import RECIPES
from tests.permissions.world import Stage, World
from tests.support.edge import RunningEdge
from tests.support.rpcs import PROTOCOLS, PUBLIC
from tests.support.services import bearer


async def complaints(front: RunningEdge, world: World, case: Case, protocol: str) -> list[str]:
    """Let every caller make the call of a case and say what is wrong about the outcomes.

    Everybody whom the rule shuts out sends one and the same request. Then the first whom it lets in sends it too, which
    shows that nothing but the rule was in the way and that the others have changed nothing; the rest get fresh ones.
    """
    allowed = [caller for caller in CALLERS if is_allowed(case.rule, caller)]
    shut_out = [caller for caller in CALLERS if caller not in allowed]
    found = []
    for caller in allowed:
        stage = Stage(world, caller, await world.token_of(caller))
        request = case.rpc.request(**await RECIPES[str(case)](stage))
        calls = [(caller, stage.token)]
        if caller is allowed[0]:
            calls = [*[(other, await world.token_of(other)) for other in shut_out], *calls]
        for sender, token in calls:
            outcome = await PROTOCOLS[protocol](front, case.rpc, request, dict(bearer(token)) if token else {})
            found.append(complaint(case.rule, sender, outcome))
    assert len(found) == len(CALLERS)
    return [words for words in found if words]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", CASES)
async def test_an_rpc_lets_in_whom_the_contract_names(front: RunningEdge, world: World, name: str, protocol: str):
    """On resources that exist: a refusal is the rule's, and not that of something missing."""
    assert await complaints(front, world, CASES[name], protocol) == []


def test_every_rpc_is_called():
    """A new RPC needs a recipe; the matrix has no exceptions."""
    assert set(RECIPES) == set(CASES)
    assert len(CASES) >= len(PUBLIC), "two RPCs have the same name"


CHECKED = pytest.mark.parametrize(
    ("name", "check"),
    [("ArtistService.UpdateArtist", "authorize_manager"), ("SessionService.ListSessions", "authorize_self")],
)


@CHECKED
async def test_a_handler_whose_check_lets_everybody_in_is_noticed(
    front: RunningEdge, world: World, monkeypatch: pytest.MonkeyPatch, name: str, check: str
):
    """The same calls again, on services whose check is broken on purpose."""
    case = CASES[name]
    monkeypatch.setattr(auth.Call, check, lambda call, *_: setattr(call, "decided", True))

    found = await complaints(front, world, case, "gRPC")

    shut_out = [caller for caller in CALLERS if caller.is_signed_in and not is_allowed(case.rule, caller)]
    assert found == [f"{caller} may not, but got OK" for caller in shut_out]


@CHECKED
async def test_a_handler_that_forgets_its_check_is_noticed(
    front: RunningEdge, world: World, monkeypatch: pytest.MonkeyPatch, name: str, check: str
):
    """A call that nobody decided about is refused with an error of ours, which the matrix takes for no answer."""
    case = CASES[name]
    monkeypatch.setattr(auth.Call, check, lambda *_: None)

    found = await complaints(front, world, case, "gRPC")

    assert len(found) == sum(caller.is_signed_in for caller in CALLERS)
    assert all(words.endswith("got INTERNAL (INTERNAL)") for words in found)
