"""Who can speak to whom: the ways that network policies leave open are those of the architecture, and no others."""

import copy
import itertools
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from services.common.streams import CONTEXTS
from services.provision.__main__ import RECOVERED
from tests.k8s.manifests import Manifests, Object, Pods, matches
from tests.k8s.rules import pick

OUTSIDE = "outside"
"""What is no pod of the namespace."""


class Way(NamedTuple):
    """From whom to whom, and to which port."""

    source: str
    target: str
    port: int


MESH = {
    *(Way("edge", context, 8443) for context in CONTEXTS),
    Way("user", "catalog", 9443),
    Way("catalog", "user", 9443),
    Way("processing", "user", 9443),
    Way("processing", "catalog", 9443),
    Way("streaming", "user", 9443),
    Way("streaming", "catalog", 9443),
    Way(OUTSIDE, "edge", 8080),
}
BROKER = {Way(who, "nats", 4222) for who in (*CONTEXTS, "worker", "provision-streams")}
STORE_USERS = ("catalog", "processing", "worker", "edge", "provision-buckets")
MIGRATIONS = tuple(f"migrate-{context}" for context in CONTEXTS)
WAYS = {
    "dev": MESH
    | BROKER
    | {Way(who, "postgres", 5432) for who in (*CONTEXTS, "worker", *MIGRATIONS, "provision-databases")}
    | {Way(who, "seaweedfs", 8333) for who in STORE_USERS}
    | {Way("user", "mailbox", 2525)}
    | {Way("provision-secrets", OUTSIDE, port) for port in (443, 6443)},
    "prod": MESH
    | BROKER
    | {Way("nats", "nats", 6222)}
    | {Way(context, f"{context}-db", 5432) for context in CONTEXTS}
    | {Way(f"migrate-{context}", f"{context}-db", 5432) for context in CONTEXTS}
    | {Way("worker", "processing-db", 5432)}
    | {Way(f"{context}-db", f"{context}-db", port) for context in CONTEXTS for port in (5432, 8000)}
    # The Kubernetes API, and the object store of backups.
    | {Way(f"{context}-db", OUTSIDE, port) for context in CONTEXTS for port in (443, 6443)}
    | {Way(who, OUTSIDE, 443) for who in STORE_USERS}
    | {Way("user", OUTSIDE, 587)}
    # Operators: CloudNativePG, KEDA and Prometheus, each from its own namespace.
    | {Way("cnpg-system", f"{context}-db", 8000) for context in CONTEXTS}
    | {Way("keda", "processing-db", 5432)}
    | {Way("monitoring", who, 9464) for who in (*CONTEXTS, "worker")}
    | {Way("monitoring", "edge", 9902)}
    | {Way("monitoring", f"{context}-db", 9187) for context in CONTEXTS},
}
WAYS["restore"] = (
    WAYS["prod"]
    | {Way(f"recover-{context}", f"{context}-db", 5432) for context in RECOVERED}
    | {Way("recover-user", "nats", 4222), Way("recover-catalog", OUTSIDE, 443)}
)
WAYS["prod-traced"] = WAYS["prod"] | {Way(who, "observability", 4317) for who in (*CONTEXTS, "worker", "edge")}
NAMES = {("kube-system", "UDP", 53), ("kube-system", "TCP", 53)}


def test_the_ways_are_those_of_the_architecture(manifests):
    """A pod that was broken into can only ask whom its service asks."""
    assert open_ways(manifests) == WAYS[manifests.overlay]


def test_no_way_is_open_at_one_end_only(manifests):
    """A policy that lets out what nobody lets in, or the other way round, is forgotten or wrong."""
    assert half_open(manifests) == set()


def test_everybody_may_ask_for_names_and_nobody_else_of_that_namespace(manifests):
    """Names are looked up at the cluster's own server."""
    for pods in manifests.everybody:
        peers = [
            (peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"], port["protocol"], port["port"])
            for policy in policies(manifests, pods, "Egress")
            for one in policy["spec"].get("egress", [])
            for peer, port in itertools.product(one.get("to", []), one["ports"])
            if "namespaceSelector" in peer
        ]

        assert {peer for peer in peers if peer[0] == "kube-system"} == NAMES


def test_nothing_passes_unless_a_policy_says_so(manifests):
    """Both directions are closed for every pod that is there and for every one that will be."""
    closed = next(item for item in manifests.of("NetworkPolicy") if item["metadata"]["name"] == "deny-all")

    assert closed["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@pytest.mark.parametrize(
    ("policy", "change"),
    [
        ("edge", lambda spec: spec["egress"][0].pop("ports")),
        ("to-kubernetes", lambda spec: spec["egress"][0]["ports"].append({"port": 22})),
        ("streaming", lambda spec: spec["ingress"][0].pop("from")),
        ("to-postgres", lambda spec: spec.update(podSelector={})),
        ("nats", lambda spec: spec["ingress"][0]["from"].append({"podSelector": {}})),
        ("catalog", lambda spec: spec["ingress"].pop()),
    ],
)
def test_a_wrong_policy_changes_the_ways(overlays, policy, change):
    """The comparison sees what was opened and what was closed."""
    bad = Manifests("dev", copy.deepcopy(overlays["dev"].objects))
    change(pick(bad.objects, "NetworkPolicy", policy)["spec"])

    assert open_ways(bad) != WAYS["dev"] or half_open(bad)


def open_ways(manifests: Manifests) -> set[Way]:
    """Return the ways that both ends leave open; of those that begin or end outside, our end decides."""
    ours = {pods.name for pods in manifests.everybody}
    out, taken = set(leaving(manifests)), set(arriving(manifests))
    return (out & taken) | {way for way in out | taken if not {way.source, way.target} <= ours}


def half_open(manifests: Manifests) -> set[Way]:
    """Return the ways between pods of ours that one end names and the other does not take."""
    ours = {pods.name for pods in manifests.everybody}
    named = set(leaving(manifests, by_name=True)) | set(arriving(manifests, by_name=True))
    both = set(leaving(manifests)) & set(arriving(manifests))
    return {way for way in named - both if {way.source, way.target} <= ours}


def leaving(manifests: Manifests, *, by_name: bool = False) -> Iterator[Way]:
    """Return the ways that pods may go, but to the server of names; `by_name`, only where the policy says to whom."""
    for source in manifests.everybody:
        for policy in policies(manifests, source, "Egress"):
            for one in policy["spec"].get("egress", []):
                for target in _met(manifests, one.get("to"), by_name=by_name):
                    yield from (Way(source.name, name_of(target), port) for port in _ports(one, target))


def arriving(manifests: Manifests, *, by_name: bool = False) -> Iterator[Way]:
    """Return the ways by which pods may be reached; `by_name`, only where the policy says by whom."""
    for target in manifests.everybody:
        for policy in policies(manifests, target, "Ingress"):
            for one in policy["spec"].get("ingress", []):
                for source in _met(manifests, one.get("from"), by_name=by_name):
                    yield from (Way(name_of(source), target.name, port) for port in _ports(one, target))


def policies(manifests: Manifests, pods: Pods, direction: str) -> list[Object]:
    """Return the policies of a direction that hold for pods."""
    found = [item for item in manifests.of("NetworkPolicy") if direction in item["spec"]["policyTypes"]]
    return [item for item in found if matches(item["spec"]["podSelector"], pods.labels)]


def name_of(end: Pods | str) -> str:
    """Return what an end of a way is called."""
    return end if isinstance(end, str) else end.name


def _met(manifests: Manifests, peers: list[Object] | None, *, by_name: bool) -> Iterator[Pods | str]:
    """Return who peers are: pods of ours, another namespace by name, or what is outside. No peers mean everybody."""
    if peers is None:
        yield OUTSIDE
        yield from [] if by_name else manifests.everybody
    for peer in peers or []:
        if "ipBlock" in peer:
            yield OUTSIDE
        elif "namespaceSelector" in peer:
            namespace = peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
            if namespace != "kube-system":
                yield namespace
        else:
            yield from manifests.selected(peer["podSelector"])


def _ports(one: Object, target: Pods | str) -> list[int]:
    """Return the numbers of ports; all that the target has when none is said."""
    if "ports" not in one:
        known = [] if isinstance(target, str) else target.containers
        return [port["containerPort"] for container in known for port in container.get("ports", [])]
    numbers = [port["port"] if isinstance(target, str) else target.port(port["port"]) for port in one["ports"]]
    return [number for number in numbers if isinstance(number, int)]
