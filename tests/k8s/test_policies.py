"""Every rule holds of all overlays, and is seen to fail on a bad manifest."""

import copy
from collections import Counter
from fnmatch import fnmatch

import pytest

from cli.engines.data import ROOT
from tests.k8s.exceptions import EXCUSES
from tests.k8s.manifests import Manifests
from tests.k8s.rules import RULES, kube_linter, pod_security, references, running

KUBE_LINTER_CHECKS = (31, 32)
"""How many are in its default set, and how many are optional."""
MODULES = (pod_security, kube_linter, references, running)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_holds_of_all_overlays(overlays, name):
    """There is no finding but those that are excused with a reason."""
    found = [
        (overlay, one)
        for overlay, manifests in overlays.items()
        for one in set(RULES[name].check(manifests))
        if not any(excuse.covers(name, overlay, one) for excuse in EXCUSES)
    ]

    assert found == []


@pytest.mark.parametrize("name", RULES)
def test_a_rule_fails_on_a_bad_manifest(overlays, name):
    """A rule that finds nothing wrong with anything would be worth nothing."""
    rule = RULES[name]
    good = overlays[rule.overlay]
    bad = Manifests(rule.overlay, copy.deepcopy(good.objects))
    rule.break_it(bad.objects)

    findings = Counter(rule.check(bad)) - Counter(rule.check(good))

    assert [one for one in findings if not any(excuse.covers(name, rule.overlay, one) for excuse in EXCUSES)]


@pytest.mark.parametrize("excuse", EXCUSES, ids=lambda excuse: f"{excuse.rule}-{excuse.overlay}-{excuse.objects}")
def test_an_excuse_excuses_something_and_says_why(overlays, excuse):
    """An excuse that nothing needs any more goes."""
    concerned = [manifests for name, manifests in overlays.items() if fnmatch(name, excuse.overlay)]

    assert excuse.reason
    assert all(
        any(excuse.covers(excuse.rule, manifests.overlay, one) for one in RULES[excuse.rule].check(manifests))
        for manifests in concerned
    )


def test_all_checks_of_kube_linter_are_here():
    """The default set and the optional checks, by their names."""
    sources = Counter(rule.source for rule in RULES.values())

    assert (sources[kube_linter.DEFAULT], sources[kube_linter.OPTIONAL]) == KUBE_LINTER_CHECKS


def test_the_documentation_lists_every_rule():
    """docs/kubernetes.md has the table of rules, in their own words."""
    table = [f"| `{rule.name}` | {rule.source} | {rule.promise} |" for rule in RULES.values()]
    written = (ROOT / "docs" / "kubernetes.md").read_text().splitlines()

    assert [line for line in table if line not in written] == []
