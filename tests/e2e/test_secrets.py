"""What an installation keeps and writes down holds no secret of the people who use it."""

import base64
import json
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import psycopg
import pytest
from psycopg import sql

from cli.engines.data import DataFolder
from cli.engines.running import running_postgres
from tests.e2e.song import Listener
from tests.support import audio
from tests.support.installation import Installation
from tests.support.leaks import Place, Search

pytestmark = pytest.mark.xdist_group("secrets")

CONTEXTS = ("user", "catalog", "processing", "streaming")
PEOPLE = 10
SESSIONS = 100
FORGETFUL = 2
TOO_MANY = httpx.codes.TOO_MANY_REQUESTS
MAIL_SECONDS = 20
PATIENCE_SECONDS = 30
TABLES = """
    SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
"""


@dataclass
class Run:
    """What was secret in one run, and what was not."""

    http: httpx.Client
    installation: Installation
    secrets: dict[str, str] = field(default_factory=dict)
    """By what they are."""
    known: dict[str, str] = field(default_factory=dict)
    """What goes the same ways and may be seen there, to show that the ways are searched."""

    def keep(self, kind: str, secret: str) -> str:
        """Note a secret."""
        self.secrets[f"{kind} {len(self.secrets)}"] = secret
        return secret

    def keep_token(self, kind: str, token: str) -> str:
        """Note a token by its signature: the rest is no secret alone."""
        self.keep(kind, token.rpartition(".")[2])
        return token

    def password(self) -> str:
        """Make a password."""
        return self.keep("password", secrets.token_urlsafe(24))

    def post(self, path: str, body: object, status: int = httpx.codes.OK, **arguments: str) -> dict[str, str]:
        """Call an RPC, again when the edge says that it was too soon: it counts the calls of all tests together."""
        while (answer := self.http.post(path, json=body, headers=arguments)).status_code == TOO_MANY:
            time.sleep(float(answer.headers["retry-after"]))
        assert answer.status_code == status, answer.text
        fields: dict[str, str] = answer.json()
        return fields

    def sign_in(self, email: str, password: str) -> dict[str, str]:
        """Sign a device in and note its tokens."""
        return self.note_session(self.post("/v1/sessions", {"email": email, "password": password}))

    def note_session(self, session: dict[str, str]) -> dict[str, str]:
        """Note the tokens of a session."""
        self.keep_token("access token", session["accessToken"])
        self.keep("refresh token", session["refreshToken"])
        return session

    def wait_for_traces(self) -> None:
        """Wait until what was done is written into the traces; processes write theirs every now and then."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        folder = self.installation.data / "traces"
        while not any(self.known["job"] in file.read_text() for file in folder.glob("*.jsonl")):
            assert time.monotonic() < deadline, "the spans are not written"
            time.sleep(0.2)

    def mailed(self, email: str, page: str) -> str:
        """Wait for a mail and note what its link carries."""
        deadline = time.monotonic() + MAIL_SECONDS
        while time.monotonic() < deadline:
            texts = [letter["text"] for letter in json.loads(self.installation.command("mail", email, "--json").stdout)]
            if found := re.findall(rf"/{page}#token=(\S+)", "\n".join(texts)):
                return self.keep(f"link to {page}", found[-1])
            time.sleep(0.1)
        raise TimeoutError(f"no mail to {email} with a link to {page}")


@pytest.fixture(scope="module")
def run(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Return a run in which people did everything that needs a secret, and some things that go wrong."""
    master = audio.save(tmp_path_factory.mktemp("secrets") / "master.ogg", audio.sweep(1))
    with httpx.Client(base_url=installation.url, timeout=30) as http:
        run = Run(http, installation)
        for person in range(PEOPLE):
            live(run, is_forgetful=person < FORGETFUL)
        listen(run, master)
        run.wait_for_traces()
        yield run


def live(run: Run, *, is_forgetful: bool) -> None:
    """Sign up, sign in again and again, refresh, mistype, be refused, and perhaps forget."""
    email, password = f"{uuid4().hex[:12]}@example.org", run.password()
    user = run.post("/v1/users", {"user": {"email": email, "username": f"s-{uuid4().hex[:12]}"}, "password": password})
    run.known["user"] = user["name"].removeprefix("users/")
    if is_forgetful:
        run.post("/v1/users:verifyEmail", {"token": run.mailed(email, "verify-email")})
    for _ in range(SESSIONS // PEOPLE):
        session = run.sign_in(email, password)
        run.note_session(run.post("/v1/sessions:refresh", {"refreshToken": session["refreshToken"]}))
    run.post("/v1/sessions", {"email": email, "password": run.password()}, httpx.codes.UNAUTHORIZED)
    for unfit in ({"email": email}, {"user": {"email": "nobody"}}, {"unknown": 1}):
        run.post("/v1/users", {**unfit, "password": run.password()}, httpx.codes.BAD_REQUEST)
    changed = run.password()
    bearer = f"Bearer {session['accessToken']}"
    changing = {"password": password, "newPassword": changed}
    run.post(f"/v1/{user['name']}:changePassword", changing, authorization=bearer)
    misplace(run, session["accessToken"], session["refreshToken"], changed)
    if is_forgetful:
        forget(run, email)


def forget(run: Run, email: str) -> None:
    """Set a new password, once and once more."""
    run.post("/v1/users:requestPasswordReset", {"email": email})
    link = run.mailed(email, "reset-password")
    run.post("/v1/users:resetPassword", {"token": link, "newPassword": run.password()})
    run.post("/v1/users:resetPassword", {"token": link, "newPassword": run.password()}, httpx.codes.BAD_REQUEST)


def misplace(run: Run, token: str, refresh_token: str, password: str) -> None:
    """Put secrets where they do not belong, as careless clients do."""
    basic = base64.b64encode(f"somebody:{password}".encode()).decode()
    for path in (
        f"/v1/users/me?access_token={token}",
        f"/{token}",
        f"/v1/users/{refresh_token}",
        f"/v1/tracks/{token}",
    ):
        assert run.http.get(path).status_code in (400, 401, 404)
    for authorization in (f"Basic {basic}", f"Bearer {refresh_token}", f"Bearer {token}x", token):
        assert (
            run.http.get("/v1/users/me", headers={"authorization": authorization}).status_code
            == httpx.codes.UNAUTHORIZED
        )
    run.post("/v1/sessions:refresh", {"refreshToken": f"{refresh_token}x"}, httpx.codes.UNAUTHORIZED)


def listen(run: Run, master: Path) -> None:
    """Upload a song and hear it, with the media token in the header and in the path."""
    listener = Listener(run.installation.url)
    run.keep_token("access token", listener.token)
    track = listener.release("Secret")["name"]
    announced = {"track": track, "filename": "master.ogg", "sizeBytes": master.stat().st_size}
    opened = listener.post("/v1/uploads", announced)
    for part in opened["parts"]:
        run.keep("signature of an upload", parse_qs(urlsplit(part["url"]).query)["X-Amz-Signature"][0])
    sent = [listener.send(part, master.read_bytes()) for part in opened["parts"]]
    assert run.http.put(f"{opened['parts'][0]['url']}0", content=b"forged").status_code == httpx.codes.FORBIDDEN
    job = listener.post(f"/v1/{opened['name']}:complete", {"parts": sent})["job"]
    run.known["job"] = job.removeprefix("jobs/")
    listener.job(job)
    listener.playable(track)
    playback = listener.post("/v1/playbacks", {"track": track, "platform": "WEB"})
    token = run.keep_token("media token", playback["mediaToken"])
    manifest = playback["manifestUri"]
    listener.media(manifest, token)
    assert run.http.get(manifest.replace("/media/", f"/media/{token}/")).status_code == httpx.codes.OK
    assert run.http.get(manifest.replace("/media/", f"/media/{token}x/")).status_code == httpx.codes.UNAUTHORIZED


def databases(installation: Installation) -> Iterator[Place]:
    """Read out every table of every context."""
    for context in CONTEXTS:
        url = running_postgres(DataFolder(installation.data)).url(f"{context}_owner", f"{context}_db")
        with psycopg.connect(url) as connection:
            for schema, table in connection.execute(TABLES).fetchall():
                copy = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT").format(sql.Identifier(schema, table))
                with connection.cursor().copy(copy) as rows:
                    yield f"{context}_db.{table}", b"".join(map(bytes, rows))


def files(installation: Installation) -> Iterator[Place]:
    """Read the logs and traces of every part, and what the broker keeps."""
    for folder in ("logs", "traces", "nats"):
        for file in sorted((installation.data / folder).rglob("*")):
            if file.is_file():
                yield str(file.relative_to(installation.data)), file.read_bytes()


def test_no_table_holds_a_secret(run: Run, installation: Installation):
    """Passwords and tokens are kept as hashes, signed addresses and media tokens not at all."""
    places = list(databases(installation))
    secrets_found, known_found = Search(run.secrets).leaks(places), Search(run.known).leaks(places)
    print(f"{len(run.secrets)} secrets, {sum(len(content) for _, content in places) >> 10} KiB of rows")  # noqa: T201 (the figure)
    assert {"user_db.users", "catalog_db.uploads", "processing_db.processing_jobs"} <= set(known_found)
    assert secrets_found == {}


def test_no_log_no_trace_and_no_stream_holds_a_secret(run: Run, installation: Installation):
    """Whatever clients do with them."""
    places = list(files(installation))
    secrets_found, known_found = Search(run.secrets).leaks(places), Search(run.known).leaks(places)
    print(f"{len(run.secrets)} secrets, {sum(len(content) for _, content in places) >> 10} KiB of files")  # noqa: T201 (the figure)
    assert {place.split("/")[0] for place in known_found} == {"logs", "traces", "nats"}
    assert secrets_found == {}


def test_the_search_finds_what_is_planted(run: Run, installation: Installation):
    """In a table, as text and as bytes, and in a log."""
    names = list(run.secrets)[:3]
    text, raw, line = (run.secrets[name] for name in names)
    url = running_postgres(DataFolder(installation.data)).url("user_owner", "user_db")
    log = installation.data / "logs" / "planted.log"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE planted (said text, kept bytea)")
        connection.execute("INSERT INTO planted VALUES (%s, %s)", [f"note: {text}", raw.encode()])
        log.write_text(
            json.dumps({"event": "call", "url": f"/v1/users?token={base64.b64encode(line.encode()).decode()}"})
        )
        try:
            found = Search(run.secrets).leaks([*databases(installation), *files(installation)])
        finally:
            connection.execute("DROP TABLE planted")
            log.unlink()
    assert found == {"user_db.planted": set(names[:2]), "logs/planted.log": {names[2]}}


@pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
def test_the_search_finds_a_secret_in_every_writing(before: str):
    """Alone and inside of something longer."""
    secret = secrets.token_urlsafe(32) + "/+=%"
    search = Search({"it": secret})
    longer = f"{before}{secret}{before}".encode()
    for writing in (
        longer,
        base64.b64encode(longer),
        base64.urlsafe_b64encode(longer),
        longer.hex().encode(),
        longer.hex().upper().encode(),
        httpx.URL("/", params={"it": longer.decode()}).query,
    ):
        assert search.leaks([("here", b'{"a": "' + writing + b'"}')]) == {"here": {"it"}}
    assert search.leaks([("here", longer.replace(secret.encode(), secret[::-1].encode()))]) == {}
