"""Tokens that must open nothing: each is a good token with one thing wrong.

`Mint` makes them as an attacker or a careless issuer would, byte by byte; `BAD` names them all. They are good against
whatever trusts the mint's keys: the edge before stand-ins, or the real services.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.echo_services import Signer

LEFT_OUT = object()
"""Removes a part of a header or a claim."""
YEAR_9999 = 253_402_300_000


@dataclass(frozen=True)
class Mint:
    """Keys that are trusted, keys that are not, and somebody whom tokens speak for."""

    access: Signer
    """The user service's key."""
    media: Signer
    """The streaming service's key, which media tokens are verified with."""
    retired: Signer
    """A key that was the user service's once."""
    user: str = field(default_factory=lambda: str(uuid4()))
    session: str = field(default_factory=lambda: str(uuid4()))

    def token(self, *, header: Mapping[str, Any] | None = None, by: Signer | None = None, **claims: Any) -> str:
        """Sign a good token, with changes to its header and its claims."""
        return self.raw(_json({**self.header(), **(header or {})}), _json(self.claims() | claims), by)

    def raw(self, header: bytes, claims: bytes, by: Signer | None = None) -> str:
        """Sign what need not be a header and claims."""
        signed = f"{encoded(header)}.{encoded(claims)}"
        return f"{signed}.{encoded((by or self.access).key.sign(signed.encode()))}"

    def signed_otherwise(self, algorithm: object, sign: Callable[[bytes], bytes]) -> str:
        """Make a token of another algorithm."""
        signed = f"{encoded(_json(self.header() | {'alg': algorithm}))}.{encoded(_json(self.claims()))}"
        return f"{signed}.{encoded(sign(signed.encode()))}"

    def parts(self) -> list[str]:
        """Return the three parts of a good token."""
        return self.token().split(".")

    def header(self) -> dict[str, Any]:
        """Write the header of a good token."""
        return {"alg": "EdDSA", "kid": self.access.kid, "typ": self.access.token_type}

    def claims(self) -> dict[str, Any]:
        """Write the claims of a good token."""
        return {
            "iss": self.access.issuer,
            "aud": self.access.audience,
            "sub": self.user,
            "sid": self.session,
            "roles": ["ROLE_USER"],
            "iat": now(),
            "exp": now(600),
        }

    def public_bytes(self) -> bytes:
        """Return the public key as everybody has it."""
        return self.access.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def public_pem(self) -> bytes:
        """Return the public key in the other usual form."""
        return self.access.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def now(later: int = 0) -> int:
    """Return the time in so many seconds."""
    return int(time.time()) + later


def encoded(content: bytes) -> str:
    """Write a part of a token."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _json(values: Mapping[str, Any]) -> bytes:
    return json.dumps({name: value for name, value in values.items() if value is not LEFT_OUT}).encode()


def _stranger(kid: str) -> Signer:
    """Return somebody who has a key of their own and calls it `kid`."""
    return Signer("https://spotilike.dev/user", "spotilike", "at+jwt", kid=kid, key=Ed25519PrivateKey.generate())


def _hmac(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda text: hmac.digest(secret, text, hashlib.sha256)


def _with_own_key(mint: Mint, **header: Any) -> str:
    """Sign with a key that the token itself recommends."""
    stranger = _stranger(mint.access.kid)
    return mint.token(header=header, by=stranger)


def _own_jwk(mint: Mint) -> str:
    stranger = _stranger(mint.access.kid)
    raw = stranger.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return mint.token(header={"jwk": {"kty": "OKP", "crv": "Ed25519", "x": encoded(raw)}}, by=stranger)


def _claims_text(mint: Mint, name: str, value: str) -> str:
    """Write a claim as JSON has it, or as only some parsers take it."""
    usual = _json(mint.claims() | {name: LEFT_OUT}).decode()
    return mint.raw(_json(mint.header()), f'{usual[:-1]}, "{name}": {value}}}'.encode())


def _twice(mint: Mint, name: str, value: str) -> str:
    """Write a claim a second time; the last one counts (RFC 7519, section 4)."""
    usual = json.dumps(mint.claims())
    return mint.raw(_json(mint.header()), f'{usual[:-1]}, "{name}": {value}}}'.encode())


@dataclass(frozen=True)
class BadToken:
    """One way to be bad."""

    make: Callable[[Mint], str]
    seen_at_edge: bool = True
    """Whether Envoy refuses it by itself; the services refuse it in any case."""


def _services_only(make: Callable[[Mint], str]) -> BadToken:
    return BadToken(make, seen_at_edge=False)


def _header(**changes: Any) -> Callable[[Mint], str]:
    return lambda mint: mint.token(header=changes)


def _claims(**changes: Any) -> Callable[[Mint], str]:
    return lambda mint: mint.token(**changes)


ALGORITHMS = {
    "alg none": BadToken(lambda mint: mint.signed_otherwise("none", lambda _: b"")),
    "alg None": BadToken(lambda mint: mint.signed_otherwise("None", lambda _: b"")),
    "alg none, signed": BadToken(lambda mint: mint.signed_otherwise("none", mint.access.key.sign)),
    "HS256 by the public key": BadToken(lambda mint: mint.signed_otherwise("HS256", _hmac(mint.public_bytes()))),
    "HS256 by the public key in PEM": BadToken(lambda mint: mint.signed_otherwise("HS256", _hmac(mint.public_pem()))),
    "HS256 by the public key as published": BadToken(
        lambda mint: mint.signed_otherwise("HS256", _hmac(mint.access.jwk().x.encode()))
    ),
    "HS256 by nothing": BadToken(lambda mint: mint.signed_otherwise("HS256", _hmac(b""))),
    "RS256 in name": BadToken(lambda mint: mint.signed_otherwise("RS256", mint.access.key.sign)),
    "ES256 in name": BadToken(lambda mint: mint.signed_otherwise("ES256", mint.access.key.sign)),
    "alg in lower case": BadToken(_header(alg="eddsa")),
    "alg of RFC 9864": BadToken(_header(alg="Ed25519")),
    "no alg": BadToken(_header(alg=LEFT_OUT)),
    "alg empty": BadToken(_header(alg="")),
    "alg null": BadToken(_header(alg=None)),
    "alg a list": BadToken(_header(alg=["EdDSA"])),
    "crit unknown": _services_only(_header(crit=["x-verify"], **{"x-verify": True})),
    "crit empty": _services_only(_header(crit=[])),
    "payload not encoded": _services_only(_header(b64=False, crit=["b64"])),
    "own key in jwk": BadToken(_own_jwk),
    "own key at jku": BadToken(lambda mint: _with_own_key(mint, jku="http://127.0.0.1:1/jwks.json")),
    "own key at x5u": BadToken(lambda mint: _with_own_key(mint, x5u="http://127.0.0.1:1/chain.pem")),
    "own key in x5c": BadToken(lambda mint: _with_own_key(mint, x5c=[base64.b64encode(bytes(64)).decode()])),
}

KEYS = {
    "another key under the name": BadToken(lambda mint: mint.token(by=_stranger(mint.access.kid))),
    "a key nobody knows": BadToken(lambda mint: mint.token(header={"kid": "other"}, by=_stranger("other"))),
    "a retired key": BadToken(lambda mint: mint.token(header={"kid": mint.retired.kid}, by=mint.retired)),
    "the key of media": BadToken(lambda mint: mint.token(header={"kid": mint.media.kid}, by=mint.media)),
    "the key of media under the name": BadToken(lambda mint: mint.token(by=mint.media)),
}

KEY_IDS = {
    "no kid": _services_only(_header(kid=LEFT_OUT)),
    "kid empty": _services_only(_header(kid="")),
    "kid unknown": BadToken(_header(kid="other")),
    "kid a path": BadToken(_header(kid="../../../../dev/null")),
    "kid SQL": BadToken(_header(kid="' OR '1'='1")),
    "kid a command": BadToken(_header(kid="$(id)|id;")),
    "kid very long": BadToken(_header(kid="k" * 3000)),
    "kid with NUL": BadToken(lambda mint: mint.token(header={"kid": f"{mint.access.kid}\0"})),
    "kid a number": BadToken(_header(kid=1)),
    "kid null": BadToken(_header(kid=None)),
    "kid a list": BadToken(lambda mint: mint.token(header={"kid": [mint.access.kid]})),
    "kid an object": BadToken(_header(kid={})),
}

TYPES = {
    "no typ": _services_only(_header(typ=LEFT_OUT)),
    "typ JWT": _services_only(_header(typ="JWT")),
    "typ of refresh tokens": _services_only(_header(typ="rt+jwt")),
    "typ of media tokens": _services_only(_header(typ="media+jwt")),
    "typ of ID tokens": _services_only(_header(typ="id_token+jwt")),
    # RFC 9068 would allow these two; our one issuer writes one form, and nothing else is an access token of it.
    "typ in capitals": _services_only(_header(typ="AT+JWT")),
    "typ with application": _services_only(_header(typ="application/at+jwt")),
    "typ null": _services_only(_header(typ=None)),
    "typ a list": _services_only(_header(typ=["at+jwt"])),
}

AUDIENCES = {
    "no audience": BadToken(_claims(aud=LEFT_OUT)),
    "another audience": BadToken(_claims(aud="spotilike-media")),
    "audience cut": BadToken(_claims(aud="spot")),
    "audience in capitals": BadToken(_claims(aud="SPOTILIKE")),
    "audience with a slash": _services_only(_claims(aud="spotilike/")),
    "audience empty": BadToken(_claims(aud="")),
    "audience null": BadToken(_claims(aud=None)),
    "audiences without ours": BadToken(_claims(aud=["spotilike-media", "other"])),
    "no audiences": BadToken(_claims(aud=[])),
    "audience an object": BadToken(_claims(aud={"spotilike": True})),
}

ISSUERS = {
    "no issuer": BadToken(_claims(iss=LEFT_OUT)),
    "another issuer": BadToken(_claims(iss="https://spotilike.dev/streaming")),
    "issuer with a slash": BadToken(_claims(iss="https://spotilike.dev/user/")),
    "issuer in capitals": BadToken(_claims(iss="HTTPS://SPOTILIKE.DEV/USER")),
    "issuer without TLS": BadToken(_claims(iss="http://spotilike.dev/user")),
    "issuer empty": BadToken(_claims(iss="")),
    "issuer null": BadToken(_claims(iss=None)),
    "issuers": BadToken(lambda mint: mint.token(iss=[mint.access.issuer])),
}

TIMES = {
    "expired": BadToken(lambda mint: mint.token(iat=now(-600), exp=now(-30))),
    "expired in 1970": BadToken(_claims(iat=0, exp=1)),
    "no end": BadToken(_claims(exp=LEFT_OUT)),
    "end null": BadToken(_claims(exp=None)),
    "end in 9999": BadToken(_claims(exp=YEAR_9999)),
    "an hour long": BadToken(lambda mint: mint.token(exp=now(3600))),
    "sixteen minutes long": BadToken(lambda mint: mint.token(exp=now(16 * 60))),
    "end before the beginning": _services_only(lambda mint: mint.token(iat=now(3), exp=now(2))),
    "end a text": BadToken(lambda mint: mint.token(exp=str(now(600)))),
    "end a word": BadToken(_claims(exp="never")),
    "end true": BadToken(_claims(exp=True)),
    "end a list": BadToken(lambda mint: mint.token(exp=[now(600)])),
    "end negative": BadToken(_claims(exp=-1)),
    "end no number": BadToken(lambda mint: _claims_text(mint, "exp", "NaN")),
    "end without end": BadToken(lambda mint: _claims_text(mint, "exp", "Infinity")),
    "end too large": BadToken(lambda mint: _claims_text(mint, "exp", "1e999")),
    "no beginning": _services_only(_claims(iat=LEFT_OUT)),
    "beginning null": BadToken(_claims(iat=None)),
    "begins tomorrow": BadToken(lambda mint: mint.token(iat=now(86_400), exp=now(86_400 + 600))),
    "began in 1970": _services_only(_claims(iat=0)),
    "beginning a word": BadToken(_claims(iat="today")),
    "beginning without end": BadToken(lambda mint: _claims_text(mint, "iat", "-1e999")),
    "not valid yet": BadToken(lambda mint: mint.token(nbf=now(60))),
    "valid from a word": BadToken(_claims(nbf="soon")),
}

STRUCTURES = {
    "empty": BadToken(lambda _: "."),
    "two dots": BadToken(lambda _: ".."),
    "a word": BadToken(lambda _: "token"),
    "an opaque token": BadToken(lambda _: "rt_" + encoded(bytes(32))),
    "no signature": BadToken(lambda mint: ".".join([*mint.parts()[:2], ""])),
    "signature cut": BadToken(lambda mint: mint.token()[:-4]),
    "signature of another token": BadToken(
        lambda mint: ".".join([*mint.parts()[:2], mint.token(sub=str(uuid4())).split(".")[2]])
    ),
    "claims changed": BadToken(
        lambda mint: ".".join(
            [mint.parts()[0], encoded(_json(mint.claims() | {"roles": ["ROLE_ADMIN"]})), mint.parts()[2]]
        )
    ),
    "two parts": BadToken(lambda mint: ".".join(mint.parts()[:2])),
    "four parts": BadToken(lambda mint: f"{mint.token()}.e30"),
    "five parts, encrypted": BadToken(
        lambda _: ".".join([encoded(b'{"alg":"dir","enc":"A256GCM"}'), "", *[encoded(bytes(16))] * 3])
    ),
    "six parts": BadToken(lambda mint: f"{mint.token()}.{mint.token()}"),
    "padded": _services_only(lambda mint: f"{mint.token()}=="),
    "padded inside": BadToken(lambda mint: mint.token().replace(".", "=.")),
    "blank inside": BadToken(lambda mint: mint.token().replace(".", ". ")),
    "blank in the signature": _services_only(lambda mint: f"{mint.token()[:-5]} {mint.token()[-5:]}"),
    "odd letters in the signature": BadToken(lambda mint: f"{mint.token()[:-5]}!*{mint.token()[-5:]}"),
    "two tokens": BadToken(lambda mint: f"{mint.token()} {mint.token()}"),
    "two tokens with a comma": BadToken(lambda mint: f"{mint.token()},{mint.token()}"),
    "quoted": BadToken(lambda mint: f'"{mint.token()}"'),
    "the scheme twice": BadToken(lambda mint: f"Bearer {mint.token()}"),
    "letters beyond ASCII": BadToken(lambda mint: mint.token().replace(".", "\N{FULLWIDTH FULL STOP}")),
    "huge": BadToken(lambda mint: mint.token()[:-2] + "A" * 9000),
    "header no base64": _services_only(lambda mint: f"!{mint.token()}"),
    "header no JSON": BadToken(lambda mint: mint.raw(b"header", _json(mint.claims()))),
    "header a list": BadToken(lambda mint: mint.raw(b"[]", _json(mint.claims()))),
    "header empty": BadToken(lambda mint: mint.raw(b"", _json(mint.claims()))),
    "header nested deep": BadToken(
        lambda mint: mint.raw(b'{"alg":"EdDSA","x":' + b"[" * 1500 + b"]" * 1500 + b"}", b"{}")
    ),
    "header not UTF-8": BadToken(lambda mint: mint.raw(b'{"alg":"EdDSA","kid":"\xff"}', _json(mint.claims()))),
    "claims no JSON": BadToken(lambda mint: mint.raw(_json(mint.header()), b"claims")),
    "claims a list": BadToken(lambda mint: mint.raw(_json(mint.header()), b"[]")),
    "claims a text": BadToken(lambda mint: mint.raw(_json(mint.header()), b'"text"')),
    "claims null": BadToken(lambda mint: mint.raw(_json(mint.header()), b"null")),
    "claims empty": BadToken(lambda mint: mint.raw(_json(mint.header()), b"")),
    "claims nested deep": BadToken(lambda mint: _claims_text(mint, "x", "[" * 1500 + "]" * 1500)),
    "two ends": BadToken(lambda mint: _twice(mint, "exp", "1")),
    "two audiences": BadToken(lambda mint: _twice(mint, "aud", '"spotilike-media"')),
}

SUBJECTS = {
    "no subject": _services_only(_claims(sub=LEFT_OUT)),
    "subject empty": _services_only(_claims(sub="")),
    "subject a name": _services_only(_claims(sub="admin")),
    "subject a number": BadToken(_claims(sub=1)),
    "subject a list": BadToken(lambda mint: mint.token(sub=[mint.user])),
    "subject null": BadToken(_claims(sub=None)),
    "no session": _services_only(_claims(sid=LEFT_OUT)),
    "session a word": _services_only(_claims(sid="all")),
    "session a number": _services_only(_claims(sid=1)),
    "roles a number": _services_only(_claims(roles=1)),
    "another token's claims": _services_only(
        lambda mint: mint.token(sid=LEFT_OUT, roles=LEFT_OUT, play=str(uuid4()), pfx="audio/tracks/a/b/")
    ),
}

ONLY_IN_HTTP = {"letters beyond ASCII", "huge"}
"""What gRPC clients cannot send: metadata is printable ASCII of a few kilobytes."""

BAD = ALGORITHMS | KEYS | KEY_IDS | TYPES | AUDIENCES | ISSUERS | TIMES | STRUCTURES | SUBJECTS

IN_AUTHORIZATION: dict[str, Callable[[str], list[tuple[str, str]]]] = {
    "no scheme": lambda token: [("authorization", token)],
    "no token": lambda _: [("authorization", "Bearer")],
    "nothing": lambda _: [("authorization", "")],
    "Basic": lambda token: [("authorization", f"Basic {token}")],
    "Digest": lambda token: [("authorization", f"Digest {token}")],
    "Token": lambda token: [("authorization", f"Token {token}")],
    "JWT": lambda token: [("authorization", f"JWT {token}")],
    "Bearer without a blank": lambda token: [("authorization", f"Bearer{token}")],
    "Bearer with a colon": lambda token: [("authorization", f"Bearer: {token}")],
    "another scheme first": lambda token: [("authorization", f"Basic eDp4, Bearer {token}")],
    "twice the same": lambda token: [("authorization", f"Bearer {token}")] * 2,
    "a good one and a bad one": lambda token: [
        ("authorization", f"Bearer {token}"),
        ("authorization", "Bearer bad"),
    ],
    "a bad one and a good one": lambda token: [
        ("authorization", "Bearer bad"),
        ("authorization", f"Bearer {token}"),
    ],
    "a password and a good one": lambda token: [
        ("authorization", "Basic eDp4"),
        ("authorization", f"Bearer {token}"),
    ],
}
"""Ways to write a good token into the right header that are wrong all the same."""

ELSEWHERE: dict[str, Callable[[str], list[tuple[str, str]]]] = {
    "cookie": lambda token: [("cookie", f"access_token={token}; authorization=Bearer {token}")],
    "proxy-authorization": lambda token: [("proxy-authorization", f"Bearer {token}")],
    "x-forwarded-access-token": lambda token: [("x-forwarded-access-token", token)],
    "x-access-token": lambda token: [("x-access-token", token)],
    "x-auth-token": lambda token: [("x-auth-token", token)],
    "x-media-token": lambda token: [("x-media-token", token)],
    "x-authorization": lambda token: [("x-authorization", f"Bearer {token}")],
    "x-forwarded-authorization": lambda token: [("x-forwarded-authorization", f"Bearer {token}")],
    "x-jwt-payload": lambda token: [("x-jwt-payload", token.split(".")[1])],
    "token": lambda token: [("token", token)],
}
"""Headers in which a token is no token: nobody looks there."""
