"""The public JSON API as a client sees it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from cli.problem import Problem

Json = dict[str, Any]

_PATIENT_STATUSES = {httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE}
_TRIES = 8
_FIRST_PAUSE_SECONDS = 0.5
_POLL_SECONDS = 0.5
_CALL_SECONDS = 60.0
_PAGE_SIZE = 200


class Refused(Exception):  # noqa: N818 - the API's answer, not a failure of ours
    """An error answer of the API with its stable reason."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{message} ({reason})")
        self.reason = reason


class Api:
    """Calls of one caller, signed in or not."""

    def __init__(self, client: httpx.AsyncClient, access_token: str | None = None) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {access_token}"} if access_token else {}

    @staticmethod
    def client(url: str, authority: Path) -> httpx.AsyncClient:
        """Return the connection to the edge; under TLS it trusts the installation's own authority."""
        verify = str(authority) if url.startswith("https") else True
        return httpx.AsyncClient(base_url=url, timeout=_CALL_SECONDS, verify=verify)

    def signed_in(self, access_token: str) -> "Api":
        """Return the same API for the owner of an access token."""
        return Api(self._client, access_token)

    async def call(
        self, method: str, path: str, body: Json | None = None, query: Mapping[str, str] | None = None
    ) -> Json:
        """Call one method; a busy server is asked again after a growing pause."""
        pause = _FIRST_PAUSE_SECONDS
        for attempt in range(_TRIES):
            answer = await self._client.request(method, path, json=body, params=query, headers=self._headers)
            if answer.status_code not in _PATIENT_STATUSES or attempt == _TRIES - 1:
                break
            await asyncio.sleep(pause)
            pause *= 2
        if answer.is_success:
            result: Json = answer.json()
            return result
        raise _refusal(answer)

    async def items(self, path: str, field: str, **query: str) -> AsyncIterator[Json]:
        """Go through all pages of a list."""
        token = ""
        while True:
            page = await self.call("GET", path, query={"pageSize": str(_PAGE_SIZE), "pageToken": token} | query)
            for item in page.get(field, []):
                yield item
            token = page.get("nextPageToken", "")
            if not token:
                return

    async def upload(self, track: str, filename: str, content_type: str, content: bytes) -> str:
        """Upload a master in parts, straight to the object store, and return the name of its job."""
        upload = await self.call(
            "POST",
            "/v1/uploads",
            {"track": track, "filename": filename, "sizeBytes": len(content), "contentType": content_type},
        )
        size = int(upload["partSizeBytes"])
        parts = []
        for part in upload["parts"]:
            number = int(part["number"])
            sent = await self._client.put(part["url"], content=content[(number - 1) * size : number * size])
            sent.raise_for_status()
            parts.append({"number": number, "etag": sent.headers["ETag"]})
        digest = hashlib.sha256(content).hexdigest()
        done = await self.call("POST", f"/v1/{upload['name']}:complete", {"parts": parts, "sha256": digest})
        return str(done["job"])

    async def picture(self, target: str, content: bytes) -> None:
        """Give an album or an artist a picture; it shows a moment later."""
        artwork = await self.call("POST", "/v1/artworks", {"target": target, "sizeBytes": len(content)})
        sent = await self._client.put(artwork["url"], content=content)
        sent.raise_for_status()
        await self.call("POST", f"/v1/{artwork['name']}:complete", {"etag": sent.headers["ETag"]})

    async def processed(self, job: str) -> None:
        """Wait until a job is done; raise `Problem` with its own words when it failed."""
        while True:
            try:
                state = await self.call("GET", f"/v1/{job}")
            except Refused as refused:
                if refused.reason != "JOB_NOT_FOUND":  # it is taken in a moment after the upload
                    raise
                state = {}
            match state.get("state"):
                case "COMPLETED":
                    return
                case "FAILED":
                    raise Problem(f"A demo track could not be processed: {state['reason']}, {state['message']}")
            await asyncio.sleep(_POLL_SECONDS)


def _refusal(answer: httpx.Response) -> Refused:
    try:
        error = answer.json()
        reason = next((detail["reason"] for detail in error["details"] if "reason" in detail), "UNKNOWN")
        return Refused(reason, error["message"])
    except (ValueError, KeyError):
        return Refused("UNKNOWN", f"HTTP {answer.status_code}")
