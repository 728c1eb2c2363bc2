"""The judge of the matrix is judged itself: it lets nothing pass and takes no two rules for one."""

import itertools

import grpc
import pytest

from spotilike.auth.v1.permission_pb2 import Permission
from tests.permissions.callers import ALL, CALLERS, SINGLE, Caller, complaint, is_allowed
from tests.permissions.cases import CASES
from tests.support.rpcs import Outcome

RULES = [
    Permission(kind=Permission.NONE),
    Permission(kind=Permission.USER),
    Permission(kind=Permission.ADMIN),
    *(Permission(kind=Permission.SELF, or_admin=or_admin) for or_admin in (False, True)),
    *(
        Permission(kind=Permission.MANAGER, permission=needed, or_admin=or_admin)
        for needed in SINGLE
        for or_admin in (False, True)
    ),
]
CODES = [code.name for code in grpc.StatusCode]

every_caller = pytest.mark.parametrize("caller", CALLERS, ids=str)
every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: " ".join(str(rule).split()))


@every_caller
@every_rule
def test_exactly_the_outcomes_of_the_rule_pass(rule: Permission, caller: Caller):
    """Whoever may succeeds; whoever may not is refused by one of three codes, the unknown by one alone."""
    reason = "PERMISSION_MISSING"
    passed = {code for code in CODES if not complaint(rule, caller, Outcome(code, None if code == "OK" else reason))}

    if is_allowed(rule, caller):
        assert passed == {"OK"}
    elif caller.is_signed_in:
        assert passed == {"PERMISSION_DENIED", "NOT_FOUND"}
    else:
        assert passed == {"UNAUTHENTICATED"}


@every_caller
@every_rule
def test_a_refusal_without_a_reason_of_the_contract_does_not_pass(rule: Permission, caller: Caller):
    """Clients decide by the reason."""
    for code, reason in itertools.product(CODES, (None, "", "NO_SUCH_REASON")):
        if code != "OK":
            assert complaint(rule, caller, Outcome(code, reason))


def test_no_two_rules_let_in_the_same_callers():
    """So an option that is changed changes what the matrix expects, whatever it is changed to."""
    rows = {tuple(is_allowed(rule, caller) for caller in CALLERS) for rule in RULES}

    assert len(rows) == len(RULES)


def test_every_rule_of_the_contract_is_among_the_rules():
    """What is shown of the rules is shown of every RPC."""
    used = {(case.rule.kind, case.rule.permission, case.rule.or_admin) for case in CASES.values()}

    assert used <= {(rule.kind, rule.permission, rule.or_admin) for rule in RULES}


def test_callers_have_every_permission_of_managers():
    """Each alone, and ALL."""
    assert {caller.granted for caller in CALLERS} >= {frozenset({name}) for name in (*SINGLE, ALL)}
