"""What browsers are told they may do with an answer, compared with the list of the OWASP Secure Headers Project."""

import re
from pathlib import Path
from typing import Any

import pytest

from cli.engines.certificates import CertificateAuthority
from tests.support.echo_services import EchoServices
from tests.support.edge import RunningEdge, running
from tests.support.engines import Engines

EVERY = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-permitted-cross-domain-policies": "none",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
PAGE = {"cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp"}
TELLTALES = (
    "x-powered-by",
    "x-aspnet-version",
    "via",
    "x-envoy-upstream-service-time",
    "x-request-id",
    "server-timing",
)
"""What says what we are made of; OWASP's list of headers to remove is of this kind."""

ANSWERS = {
    "page": ("GET", "/"),
    "script": ("GET", "/assets/main-0a1b2c3d.js"),
    "description": ("GET", "/openapi.json"),
    "call": ("GET", "/v1/tracks"),
    "refused call": ("GET", "/v1/users/me"),
    "malformed call": ("GET", "/v1/tracks?unknown=1"),
    "unknown path": ("GET", "/nothing"),
    "wrong method": ("PUT", "/v1/tracks"),
    "audio": ("GET", "/media/audio/x"),
    "upload": ("PUT", "/uploads/x?X-Amz-Signature=x"),
    "health": ("GET", "/healthz"),
    "head": ("HEAD", "/"),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_every_answer_carries_what_browsers_should_know(edge: RunningEdge, name):
    """Also refusals, audio and health."""
    method, path = ANSWERS[name]
    headers = (await edge.ask(method, path)).headers
    assert {header: headers.get_list(header) for header in EVERY} == {
        header: [value] for header, value in EVERY.items()
    }
    [policy] = headers.get_list("content-security-policy")
    assert directives(policy)["default-src"] == ["'none'"]
    assert directives(policy)["frame-ancestors"] == ["'none'"]
    assert "strict-transport-security" not in headers
    assert not [header for header in TELLTALES if header in headers]
    assert headers["server"] == "spotilike"


def directives(policy: str) -> dict[str, list[str]]:
    """Read a content security policy."""
    return {words[0]: words[1:] for words in (part.split() for part in policy.split(";"))}


@pytest.mark.parametrize("name", ["page", "script", "head"])
async def test_the_players_policy_is_strict(edge: RunningEdge, name):
    """Nothing of others, nothing inline, nothing evaluated, and nobody around it."""
    method, path = ANSWERS[name]
    headers = (await edge.ask(method, path)).headers
    policy = directives(headers["content-security-policy"])
    assert set(policy) >= {"script-src", "style-src", "connect-src", "base-uri", "form-action", "frame-ancestors"}
    for directive, sources in policy.items():
        assert set(sources) <= {"'none'", "'self'", "data:", "blob:"}, directive
    for directive in ("script-src", "style-src", "connect-src", "worker-src", "form-action"):
        assert policy[directive] == ["'self'"]
    assert policy["base-uri"] == ["'none'"]
    assert {header: headers[header] for header in PAGE} == PAGE


async def test_the_player_may_use_no_device(edge: RunningEdge):
    """It plays; it neither watches nor listens, and does not ask for money."""
    features = dict(re.findall(r"([a-z-]+)=\(([^)]*)\)", (await edge.ask("GET", "/")).headers["permissions-policy"]))
    assert {"camera", "microphone", "geolocation", "payment", "usb", "display-capture"} <= set(features)
    assert set(features.values()) == {""}


async def test_answers_with_data_are_not_kept(edge: RunningEdge, bearer):
    """Neither those of calls nor refusals."""
    for method, path in (("GET", "/v1/users/me"), ("GET", "/v1/nothing"), ("GET", "/v1/tracks?unknown=1")):
        assert (await edge.ask(method, path)).headers["cache-control"] == "no-store"
        assert (await edge.ask(method, path, headers=bearer)).headers["cache-control"] == "no-store"


async def test_over_https_browsers_are_told_to_stay_there(engines: Engines, echo: EchoServices, tmp_path: Path):
    """By the edge's own certificate, or by that of a proxy in front."""
    certificate = CertificateAuthority(engines.shared / "tls").public("127.0.0.1")
    pair: dict[str, Any] = {"certificate": certificate / "tls.crt", "private_key": certificate / "tls.key"}
    for number, settings in enumerate([pair, {"https": True}]):
        async with running(engines, echo, tmp_path / str(number), **settings) as edge:
            for method, path in (("GET", "/healthz"), ("GET", "/v1/tracks"), ("GET", "/nothing")):
                [policy] = (await edge.ask(method, path)).headers.get_list("strict-transport-security")
                assert policy == "max-age=31536000; includeSubDomains"
