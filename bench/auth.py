"""What it costs to know who calls, and to sign in.

`python -m bench.auth` prints, from rounds that are run in turn on real servers over mTLS: the server's processor time
of one call without anything around it, with the interceptor's pipeline but no token, and with a token whose verdict is
remembered; and the logins that a whole installation does in a second of the user service's processor time, beside the
passwords that bare Argon2 verifies in the same time.
"""

import asyncio
import json
import operator
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import jwt
import psutil
import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bench.calls import AT_ONCE, at_once, seconds
from cli.engines.certificates import CertificateAuthority
from cli.engines.data import DataFolder
from services.common import contract, telemetry
from services.common.auth import AUDIENCE, ISSUER, TOKEN_TYPE, TokenVerifier
from services.common.interceptors import CallInterceptor, Limits
from services.user.passwords import hasher
from spotilike.auth.v1.jwks_pb2 import Jwks
from spotilike.auth.v1.permission_pb2 import Permission
from spotilike.user.v1.key_service_pb2 import GetJwksRequest
from spotilike.user.v1.key_service_pb2_grpc import (
    KeyServiceServicer,
    KeyServiceStub,
    add_KeyServiceServicer_to_server,
)
from spotilike.user.v1.session_service_pb2 import CreateSessionRequest
from spotilike.user.v1.session_service_pb2_grpc import SessionServiceStub
from spotilike.user.v1.user_pb2 import User
from spotilike.user.v1.user_service_pb2 import CreateUserRequest
from spotilike.user.v1.user_service_pb2_grpc import UserServiceStub
from tests.support.channels import channel
from tests.support.engines import Run
from tests.support.installation import start, stop
from tests.support.services import PASSWORD

ROUNDS = 5
CALLS = 5000
LOGINS = 200
GET_JWKS = "/spotilike.user.v1.KeyService/GetJwks"
KINDS = ("bare", "pipeline", "pipeline with token")


class _Static(KeyServiceServicer):
    """Answers at once, so that nothing but what is around the call is measured."""

    async def GetJwks(self, request: GetJwksRequest, context: object) -> Jwks:  # noqa: ARG002, N802 (the contract)
        return Jwks()


class _OneKey:
    """The published key of the benchmark."""

    def __init__(self, raw: bytes) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(raw)

    async def public_key(self, kid: str) -> Ed25519PublicKey | None:
        return self._key if kid == "bench" else None


async def _serve(tls: Path, raw_key: bytes) -> None:
    """Be the process that is measured: one server of each kind; print their ports."""
    methods = contract.methods(_Static())
    signed_in = {GET_JWKS: replace(methods[GET_JWKS], permission=Permission(kind=Permission.USER))}
    limits = Limits(1000, 10.0)
    around = {
        "bare": [],
        "pipeline": [CallInterceptor(methods, None, ["edge"], limits, limits)],
        "pipeline with token": [CallInterceptor(signed_in, TokenVerifier(_OneKey(raw_key)), ["edge"], limits, limits)],
    }
    servers = []
    pair = ((tls / "tls.key").read_bytes(), (tls / "tls.crt").read_bytes())
    credentials = grpc.ssl_server_credentials([pair], (tls / "ca.crt").read_bytes(), require_client_auth=True)
    ports = {}
    for kind, interceptors in around.items():
        server = grpc.aio.server(interceptors=interceptors)
        add_KeyServiceServicer_to_server(_Static(), server)
        ports[kind] = server.add_secure_port("127.0.0.1:0", credentials)
        await server.start()
        servers.append(server)
    sys.stderr.write(json.dumps(ports) + "\n")
    await asyncio.gather(*(server.wait_for_termination() for server in servers))


async def _compare_calls(tls: CertificateAuthority) -> None:
    key = Ed25519PrivateKey.generate()
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    arguments = [sys.executable, "-m", "bench.auth", "--serve", str(tls.service("user")), raw]
    server = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)  # noqa: ASYNC220, S603 (our own argv)
    try:
        assert server.stderr  # noqa: S101 (it is a pipe)
        ports = json.loads(server.stderr.readline())
        stubs = {kind: KeyServiceStub(channel(f"127.0.0.1:{ports[kind]}", tls.service("edge"))) for kind in KINDS}
        metadata = (("authorization", f"Bearer {_token(key)}"),)
        spent: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for _ in range(ROUNDS + 1):
            for kind in KINDS:
                spent[kind].append(await _microseconds(psutil.Process(server.pid), stubs[kind], metadata))
    finally:
        server.kill()
        server.wait()
    bare, pipeline, known = (statistics.median(spent[kind][1:]) for kind in KINDS)  # the first round warms up
    token = statistics.median(map(operator.sub, spent[KINDS[2]][1:], spent[KINDS[1]][1:]))
    _say(f"one call, bare: {bare:.0f} µs of the server's processor; with the pipeline: {pipeline:.0f} µs")
    _say(f"with a known token: {known:.0f} µs, {token:.1f} µs for the token, {known / bare:.2f} times bare")


def _token(key: Ed25519PrivateKey) -> str:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": str(uuid4()), "sid": str(uuid4()), "iat": now, "exp": now + 900}
    return jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": "bench", "typ": TOKEN_TYPE})


async def _microseconds(server: psutil.Process, stub: Any, metadata: Any) -> float:  # noqa: ANN401 (generated)
    before = seconds(server)
    await at_once(CALLS, lambda: stub.GetJwks(GetJwksRequest(), metadata=metadata))
    return (seconds(server) - before) / CALLS * 1e6


async def _compare_logins() -> None:
    run = Run.begin()
    try:
        installation = await asyncio.to_thread(start, run, "--workers", "1")
        part = installation.part("user")
        edge = DataFolder(installation.data).tls / "edge"
        link = channel(f"127.0.0.1:{part['ports']['public']}", edge)
        requests = cycle([await _sign_up(link) for _ in range(2 * AT_ONCE)])
        ours, bare = [], []
        for _ in range(ROUNDS):
            before = seconds(psutil.Process(part["pid"]))
            await at_once(LOGINS, lambda: SessionServiceStub(link).CreateSession(next(requests)))
            ours.append(LOGINS / (seconds(psutil.Process(part["pid"])) - before))
            bare.append(_bare_argon2())
        rate, most = statistics.median(ours), statistics.median(bare)
        _say(f"logins in a second of one core: {rate:.1f}; bare Argon2: {most:.1f}; ratio {rate / most:.2f}")
    finally:
        stop(run)
        run.end()


async def _sign_up(link: grpc.aio.Channel) -> CreateSessionRequest:
    """Make an account; each is used by one login at a time, as by a person."""
    mark = uuid4().hex[:12]
    account = User(email=f"{mark}@example.org", username=f"bench-{mark}")
    await UserServiceStub(link).CreateUser(CreateUserRequest(user=account, password=PASSWORD))
    return CreateSessionRequest(email=account.email, password=PASSWORD)


def _bare_argon2() -> float:
    argon2 = hasher(19 * 1024, 2)
    known = argon2.hash(PASSWORD)
    before = time.process_time()
    for _ in range(LOGINS // 4):
        argon2.verify(known, PASSWORD)
    return LOGINS // 4 / (time.process_time() - before)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def main() -> None:
    """Compare and print."""
    with tempfile.TemporaryDirectory() as folder:
        await _compare_calls(CertificateAuthority(Path(folder)))
    await _compare_logins()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        telemetry.configure("bench")
        uvloop.run(_serve(Path(sys.argv[2]), bytes.fromhex(sys.argv[3])))
    else:
        asyncio.run(main())
