"""The configuration is written from a readable template."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from envoy.render import ROOT
from envoy.template import fill

SETTINGS = {
    "listen_host": "0.0.0.0",  # noqa: S104 (nothing listens: the configuration is only written)
    "listen_port": 8080,
    "admin_port": 9901,
    "keys_port": 9902,
    "tls_dir": "/etc/spotilike/tls",
    "upstreams": {"user": [["user-0", 50051], ["user-1", 50051]], "catalog": [["catalog", 50051]]},
    "store": ["store", 8333],
    "store_access_key": "edge",
    "store_secret_key": "secret",
}


def test_an_image_can_be_configured_from_the_command_line():
    """Every endpoint of a service stands in its cluster."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "gen")])
    written = subprocess.run(
        [sys.executable, "-P", "-m", "envoy.render"],
        input=json.dumps(SETTINGS),
        env={"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    [user, *_] = json.loads(written.stdout)["static_resources"]["clusters"]
    endpoints = user["load_assignment"]["endpoints"][0]["lb_endpoints"]
    names = [endpoint["endpoint"]["address"]["socket_address"]["address"] for endpoint in endpoints]
    assert (user["name"], names) == ("user", ["user-0", "user-1"])


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """Return an empty template."""
    return tmp_path / "template.yaml"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("port: ${port}", {"port": 8080}),
        ("uri: http://${host}:${port}/", {"uri": "http://edge:8080/"}),
        ("items: [first, '${several}', last]", {"items": ["first", {"a": 1}, {"a": 2}, "last"]}),
        ("items: ${several}", {"items": [{"a": 1}, {"a": 2}]}),
        ("tls: ${nothing}\nport: 1", {"port": 1}),
        ("format: '%REQ(:PATH)%'", {"format": "%REQ(:PATH)%"}),
    ],
)
def test_a_placeholder_becomes_its_value(template: Path, text, expected):
    """With its type, inside a text, as part of a list, or not at all."""
    template.write_text(text)
    values = {"port": 8080, "host": "edge", "several": [{"a": 1}, {"a": 2}], "nothing": None}
    assert fill(template, values) == expected


def test_a_placeholder_without_value_is_an_error(template: Path):
    """A name that is misspelt must not reach Envoy."""
    template.write_text("port: ${prot}")
    with pytest.raises(KeyError, match="prot"):
        fill(template, {"port": 8080})
