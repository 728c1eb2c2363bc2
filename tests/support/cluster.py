"""The part of Kubernetes' API server that keeps the Secrets of one namespace.

A stand-in: no API server comes as a package. It follows the API's reference for get, create and merge-patch of Secrets.
"""

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from services.provision.certificates import issue, new_authority, service_names

NAMESPACE, TOKEN = "music", "token-of-the-pod"
SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"


class ApiServer(ThreadingHTTPServer):
    """Keeps Secrets by name."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.secrets: dict[str, dict[str, Any]] = {}
        self.changes = 0

    def files(self, name: str) -> dict[str, str]:
        """Read a Secret as a pod that mounts it does."""
        return {file: base64.b64decode(text).decode() for file, text in self.secrets[name]["data"].items()}


class _Handler(BaseHTTPRequestHandler):
    server: ApiServer

    def do_GET(self) -> None:
        name = self.path.removeprefix(f"{SECRETS}/")
        self._answer(404 if name not in self.server.secrets else 200, self.server.secrets.get(name, {}))

    def do_POST(self) -> None:
        sent = self._body()
        name = sent["metadata"]["name"]
        if self.path.rstrip("/") != SECRETS or name in self.server.secrets:
            self._answer(409, {})
        else:
            self._keep(name, sent, {})

    def do_PATCH(self) -> None:
        name = self.path.removeprefix(f"{SECRETS}/")
        assert self.headers["content-type"] == "application/merge-patch+json"
        if name not in self.server.secrets:
            self._answer(404, {})
        else:
            kept = self.server.secrets[name]
            self._keep(name, kept | self._body(), kept["data"])

    def _keep(self, name: str, secret: dict[str, Any], data: dict[str, str]) -> None:
        """Keep a Secret; what was sent as text is kept encoded (`stringData` is write-only)."""
        added = {file: base64.b64encode(text.encode()).decode() for file, text in secret.pop("stringData").items()}
        self.server.secrets[name] = secret | {"data": data | added}
        self.server.changes += 1
        self._answer(200, self.server.secrets[name])

    def _body(self) -> dict[str, Any]:
        sent: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["content-length"])))
        return sent

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        allowed = self.headers["authorization"] == f"Bearer {TOKEN}"
        content = json.dumps(body if allowed else {}).encode()
        self.send_response(status if allowed else 401)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def running(account: Path) -> Iterator[ApiServer]:
    """Run a server with an empty namespace; `account` becomes the folder that a pod finds its token in."""
    authority = new_authority("cluster")
    pair = issue(authority, "api", service_names("api", ["localhost"]))
    for name, text in {
        "ca.crt": authority.certificate,
        "token": TOKEN,
        "namespace": NAMESPACE,
        "server.pem": pair.certificate + pair.key,
    }.items():
        (account / name).write_text(text)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(account / "server.pem")
    with ApiServer() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
