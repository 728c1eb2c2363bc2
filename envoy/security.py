"""The headers by which browsers are told what an answer may do (OWASP Secure Headers Project)."""

from typing import Any

from envoy.headers import header

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; media-src 'self' blob:; manifest-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
"""What the page may load. Styles come from files alone: the player sets none in its markup."""

PAGE = {
    "content-security-policy": PAGE_POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "permissions-policy": "accelerometer=(), browsing-topics=(), camera=(), display-capture=(), geolocation=(), "
    "gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), serial=(), usb=(), xr-spatial-tracking=()",
}
"""What pages carry beside the headers of every answer."""

_EVERY = {
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-permitted-cross-domain-policies": "none",
    "cross-origin-resource-policy": "same-origin",
}
_NOT_A_PAGE = "default-src 'none'; frame-ancestors 'none'"
"""What is not ours to show as a page loads nothing, should a browser show it all the same."""
_ONE_YEAR = "max-age=31536000; includeSubDomains"


def response_mutations(*, https: bool) -> list[dict[str, Any]]:
    """Write what every answer carries; over HTTPS, browsers never again ask without it."""
    values = _EVERY | ({"strict-transport-security": _ONE_YEAR} if https else {})
    policy = header("content-security-policy", _NOT_A_PAGE) | {"append_action": "ADD_IF_ABSENT"}
    return [{"append": change} for change in [*(header(*item) for item in values.items()), policy]]
