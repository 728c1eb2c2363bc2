"""Signing keys change while people use the product."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import uuid4

import httpx
import pytest

from tests.support.installation import Installation
from tests.support.services import PASSWORD

pytestmark = pytest.mark.xdist_group("quiet")

PEOPLE = 8
WITHDRAWN_SECONDS = 15
"""The edge asks for keys every ten seconds; services every five."""
ROTATED_SECONDS = 60


@dataclass
class Crowd:
    """People who sign in, look around and refresh their sessions, all the time."""

    http: httpx.AsyncClient
    calls: int = 0
    kids: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)

    async def live(self) -> None:
        """Be somebody until cancelled."""
        mark = uuid4().hex[:12]
        account = {"user": {"email": f"{mark}@example.org", "username": f"crowd-{mark}"}, "password": PASSWORD}
        await self._ask("POST", "/v1/users", json=account)
        signed_in = await self._ask("POST", "/v1/sessions", json={"email": f"{mark}@example.org", "password": PASSWORD})
        while True:
            bearer = {"authorization": f"Bearer {signed_in['accessToken']}"}
            self.kids.add(signed_in["accessToken"].split(".")[0])
            for _ in range(3):
                await self._ask("GET", "/v1/users/me", headers=bearer)
                await self._ask("GET", "/v1/users/me/artists", headers=bearer)
                await self._ask("GET", "/v1/users/me/plays", headers=bearer)
                await self._ask("GET", "/v1/jobs", headers=bearer)
            signed_in = await self._ask(
                "POST", "/v1/sessions:refresh", json={"refreshToken": signed_in["refreshToken"]}
            )

    async def _ask(self, method: str, path: str, **arguments: object) -> dict[str, str]:
        answer = await self.http.request(method, path, **arguments)  # type: ignore[arg-type]  # passed on as they are
        self.calls += 1
        if answer.status_code != httpx.codes.OK:
            self.failures.append(f"{method} {path}: {answer.status_code} {answer.text}")
        fields: dict[str, str] = answer.json()
        return fields


@pytest.fixture
async def http(quiet_installation: Installation) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the installation's edge."""
    async with httpx.AsyncClient(base_url=quiet_installation.url, timeout=30) as client:
        yield client


async def published(http: httpx.AsyncClient, path: str) -> list[str]:
    """Return the ids of the published keys, the signing one first."""
    return [key["kid"] for key in (await http.get(path)).json()["keys"]]


async def rotate(installation: Installation, *options: str) -> None:
    """Rotate as soon as the next keys may sign."""
    async with asyncio.timeout(ROTATED_SECONDS):
        while (done := await asyncio.to_thread(installation.command, "keys", "rotate", *options)).returncode:
            assert "Try again in" in done.stderr
            await asyncio.sleep(1)


async def test_a_rotation_under_load_fails_no_call(quiet_installation: Installation, http: httpx.AsyncClient):
    """Whoever holds a token of the old key goes on with it, and new tokens are known everywhere at once."""
    crowd = Crowd(http)
    people = [asyncio.create_task(crowd.live()) for _ in range(PEOPLE)]
    before = await published(http, "/.well-known/jwks.json")

    await rotate(quiet_installation)
    end = crowd.calls + 60 * PEOPLE
    while crowd.calls < end:
        await asyncio.sleep(0.05)

    for person in people:
        person.cancel()
    await asyncio.gather(*people, return_exceptions=True)
    print(f"{crowd.calls} calls, {len(crowd.kids)} keys, {len(crowd.failures)} failed")  # noqa: T201 (the figure)
    assert crowd.failures == []
    assert len(crowd.kids) >= 2
    assert (await published(http, "/.well-known/jwks.json"))[0] != before[0]


async def test_in_an_emergency_every_token_ends(quiet_installation: Installation, http: httpx.AsyncClient):
    """Access tokens, refresh tokens and media tokens; signing in again works at once."""
    mark = uuid4().hex[:12]
    account = {"email": f"{mark}@example.org", "username": f"user-{mark}"}
    await http.post("/v1/users", json={"user": account, "password": PASSWORD})
    credentials = {"email": account["email"], "password": PASSWORD}
    signed_in = (await http.post("/v1/sessions", json=credentials)).json()
    bearer = {"authorization": f"Bearer {signed_in['accessToken']}"}
    assert (await http.get("/v1/users/me", headers=bearer)).status_code == httpx.codes.OK
    media_keys = await published(http, "/.well-known/media-jwks.json")

    await rotate(quiet_installation, "--emergency")

    began = time.monotonic()
    for path in ("/v1/users/me", "/v1/users/me/artists", "/v1/users/me/plays", "/v1/jobs"):
        async with asyncio.timeout(WITHDRAWN_SECONDS):
            while (answer := await http.get(path, headers=bearer)).status_code == httpx.codes.OK:
                await asyncio.sleep(0.1)
        assert json.loads(answer.text)["details"][0]["reason"] == "TOKEN_INVALID"
    print(f"refused everywhere after {time.monotonic() - began:.1f} s")  # noqa: T201 (the figure)
    refreshed = await http.post("/v1/sessions:refresh", json={"refreshToken": signed_in["refreshToken"]})
    assert refreshed.status_code == httpx.codes.UNAUTHORIZED
    assert set(await published(http, "/.well-known/media-jwks.json")).isdisjoint(media_keys)
    again = (await http.post("/v1/sessions", json=credentials)).json()
    async with asyncio.timeout(WITHDRAWN_SECONDS):
        fresh = {"authorization": f"Bearer {again['accessToken']}"}
        while (await http.get("/v1/users/me", headers=fresh)).status_code != httpx.codes.OK:
            await asyncio.sleep(0.1)
