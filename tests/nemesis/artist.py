"""Somebody who uploads as a good client does: what had no answer, and what was refused for now, is sent again."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from tests.e2e.song import Json, Listener
from tests.nemesis.steps import Step

PATIENCE_SECONDS = 90
PAUSE_SECONDS = 0.3
TRY_AGAIN = (408, 429, 503, 504)
"""HTTP's own words for it, each with a sentence that says so."""
SEND_AGAIN = ("UPLOAD_INCOMPLETE", "UPLOAD_URL_INVALID")
"""Refusals that name the parts which have to come again, or ask for the upload to be read for fresh addresses."""

Reached = Callable[[Step], None]


class Artist(Listener):
    """Counts what had to be sent again; any other error fails the call."""

    def __init__(self, url: str) -> None:
        """Sign up and sign in."""
        self.retried = 0
        self._counting = threading.Lock()
        super().__init__(url)

    def get(self, path: str, **query: str) -> Json:
        """Read a resource."""
        return self._answer(self._insist(lambda: self.http.get(path, params=query)))

    def post(self, path: str, body: Json) -> Json:
        """Make something, or do something with it."""
        return self._answer(self._insist(lambda: self.http.post(path, json=body)))

    def bring(self, track: str, master: Path, reached: Reached) -> Json:
        """Upload a master, telling each step that is reached; answers the completed upload."""
        announced = {"track": track, "filename": master.name, "sizeBytes": master.stat().st_size}
        upload = self.post("/v1/uploads", announced | {"requestId": str(uuid4())})
        reached(Step.BEGUN)
        completion = {"requestId": str(uuid4())}
        while True:
            parts = self._send_all(upload, master)
            if parts is not None:
                reached(Step.SENT)
                path = f"/v1/{upload['name']}:complete"
                body: Json = completion | {"parts": parts}
                answer = self._insist(lambda path=path, body=body: self.http.post(path, json=body))  # type: ignore[misc]  # bound now, called now
                if answer.is_success or _reason(answer) not in SEND_AGAIN:
                    completed = self._answer(answer)
                    reached(Step.COMPLETED)
                    return completed
            self._count()
            upload = self.get(f"/v1/{upload['name']}")

    def _send_all(self, upload: Json, master: Path) -> list[Json] | None:
        """Send the parts that have not arrived; None when the store wants fresh addresses first."""
        sent = []
        with master.open("rb") as file:
            for part in upload["parts"]:
                data = file.read(int(part["sizeBytes"]))
                if part.get("uploaded"):
                    sent.append({"number": part["number"], "etag": part["etag"]})
                    continue
                answer = self._insist(lambda url=part["url"], data=data: self.plain.put(url, content=data))  # type: ignore[misc]  # as above
                if _reason(answer) in SEND_AGAIN:
                    return None
                assert answer.is_success, f"part {part['number']}: {answer.status_code} {answer.text}"
                sent.append({"number": part["number"], "etag": answer.headers["etag"]})
        return sent

    def _insist(self, send: Callable[[], httpx.Response]) -> httpx.Response:
        """Send until there is an answer that does not ask to try again."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = send()
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
            else:
                if answer.status_code not in TRY_AGAIN or time.monotonic() > deadline:
                    return answer
            self._count()
            time.sleep(PAUSE_SECONDS)

    def _count(self) -> None:
        with self._counting:
            self.retried += 1


def _reason(answer: httpx.Response) -> str:
    """Read why a call was refused; empty when it was not."""
    if answer.is_success:
        return ""
    details: list[dict[str, Any]] = answer.json().get("details", [])
    return next((str(detail["reason"]) for detail in details if "reason" in detail), "")
