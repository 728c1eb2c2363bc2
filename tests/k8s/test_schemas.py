"""All overlays render, every object is of the schema of its kind, and none is there that nobody counted."""

from collections import Counter

import pytest

from tests.k8s import crds
from tests.k8s.rules.kube_linter import fault

OBJECTS = {"dev": 85, "prod": 142, "restore": 154, "prod-traced": 143}
OPERATORS = {"dev": 0, "prod": 61, "restore": 61, "prod-traced": 61}
"""How many of them are of an operator's kind."""


def test_every_object_is_counted(manifests):
    """An object more or less is meant, and whoever adds it says so here."""
    of_operators = [item for item in manifests.objects if crds.knows(item)]

    assert (len(manifests.objects), len(of_operators)) == (OBJECTS[manifests.overlay], OPERATORS[manifests.overlay])


def test_every_object_is_of_the_schema_of_its_kind(manifests):
    """No field is unknown, of the wrong type or missing."""
    assert [found for item in manifests.objects if (found := fault(item))] == []


def test_no_two_objects_have_one_name(manifests):
    """The second one would silently replace the first."""
    names = Counter((item["kind"], item["metadata"]["name"]) for item in manifests.objects)

    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Cluster", ("postgresql", "synchronous", "dataDurabilty"), "required"),
        ("Cluster", ("instances",), "3"),
        ("Certificate", ("privateKey", "algorithm"), "Ed448"),
        ("ScaledObject", ("triggers", 0, "metadata", "targetQueryValue"), 1),
        ("ScaledObject", ("cooldownPeriode",), 300),
        ("ExternalSecret", ("target", "creationPolicy"), "owner"),
        ("HTTPRoute", ("rules", 0, "timeouts", "request"), "0"),
        ("Gateway", ("listeners", 0, "port"), 70_000),
        ("ObjectStore", ("retentionPolicy",), "30"),
        ("ScheduledBackup", ("schedule",), "0 3 * * *"),
        ("PodMonitor", ("podMetricsEndpoints", 0, "interval"), 15),
    ],
)
def test_a_wrong_field_of_an_operators_resource_is_found(overlays, kind, path, value):
    """The strict schemas know names, types and words."""
    item = crds.copy_with(overlays["prod"].of(kind)[0], path, value)

    assert crds.fault(item)
