"""The component that switches traces on reaches every program, and each understands it."""

import pytest

from envoy.tracing import Traces, sent
from services.common.settings import TracingSettings
from tests.k8s.manifests import name_of


@pytest.mark.parametrize("settings", ["service-settings", "worker-settings", "edge-settings"])
def test_one_trace_of_a_hundred_goes_to_the_collector(overlays, monkeypatch, settings):
    """The edge decides which one; services and workers follow."""
    [found] = [one["data"] for one in overlays["prod-traced"].of("ConfigMap") if name_of(one).startswith(settings)]
    for name, value in found.items():
        monkeypatch.setenv(name, value)

    assert sent(TracingSettings()) == Traces(collector=("otel-collector.observability", 4317), percent=1.0)
    assert TracingSettings().sampler == "parentbased_traceidratio"


def test_nothing_is_recorded_without_it(overlays):
    """Prod says nothing of traces: they are off unless somebody asks for them."""
    said = [name for one in overlays["prod"].of("ConfigMap") for name in one.get("data", {}) if name.startswith("OTEL")]

    assert said == []
