"""Rules over rendered manifests. Each is a small function that answers what breaks it, and a promise in words."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tests.k8s.manifests import Manifests, Object

Check = Callable[[Manifests], Iterable[str]]
Break = Callable[[list[Object]], None]


@dataclass(frozen=True)
class Rule:
    """Something that must hold of every overlay."""

    name: str
    """As kube-linter calls it, for its checks."""
    source: str
    promise: str
    check: Check
    """Answers the ids of the objects that break the rule."""
    overlay: str
    """Where the bad manifest is made."""
    break_it: Break
    """Makes good manifests break the rule."""


RULES: dict[str, Rule] = {}


def rule(name: str, source: str, break_it: Break, overlay: str = "dev") -> Callable[[Check], Check]:
    """Take part in the table of rules, by the first line of the docstring."""

    def register(check: Check) -> Check:
        assert name not in RULES, name
        promise = (check.__doc__ or "").splitlines()[0]
        RULES[name] = Rule(name, source, promise, check, overlay, break_it)
        return check

    return register


def pick(objects: list[Object], kind: str, name: str = "") -> Object:
    """Return an object of a kind, by the beginning of its name; for bad manifests."""
    return next(item for item in objects if item["kind"] == kind and item["metadata"]["name"].startswith(name))


def pod(objects: list[Object], kind: str = "Deployment", name: str = "user") -> Object:
    """Return the pod of a workload; for bad manifests."""
    spec: Object = pick(objects, kind, name)["spec"]["template"]["spec"]
    return spec


def container(objects: list[Object], kind: str = "Deployment", name: str = "user") -> Object:
    """Return the first container of a workload; for bad manifests."""
    first: Object = pod(objects, kind, name)["containers"][0]
    return first


def flatten(findings: Iterable[Iterable[str]]) -> Iterator[str]:
    """Join findings."""
    return (finding for group in findings for finding in group)
