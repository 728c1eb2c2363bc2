"""Where sets of secrets are kept: folders of private files, or Secrets of a Kubernetes namespace."""

import base64
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import httpx

SECONDS = 10.0
LABELS = {"app.kubernetes.io/part-of": "spotilike", "app.kubernetes.io/managed-by": "provision"}


class Keeper(Protocol):
    """Keeps named sets of named texts. Nothing that is kept is ever changed."""

    def read(self, name: str) -> dict[str, str]:
        """Return a set; one that is not there is empty."""

    def add(self, name: str, files: Mapping[str, str]) -> None:
        """Add texts to a set, which is made when it is not there. They must not be in it yet."""


class Folder:
    """A folder with a folder of files per set, which only their owner can read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> dict[str, str]:
        """Return a set; one that is not there is empty."""
        return {file.name: file.read_text() for file in (self._folder / name).glob("[!.]*")}

    def add(self, name: str, files: Mapping[str, str]) -> None:
        """Add files to a set, each whole or not at all; the files of a new set appear together."""
        target, unfinished = self._folder / name, self._folder / f".{name}"
        folder = target if target.exists() else unfinished
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file, text in files.items():
            written = folder / f".{file}"
            written.touch(mode=0o600)
            written.write_text(text)
            written.rename(folder / file)
        if folder is unfinished:
            unfinished.rename(target)


class Cluster:
    """The namespace of a pod, by the token of its service account: it may get, create and patch Secrets."""

    def __init__(self, api: str, account: Path) -> None:
        """Speak to the API server at `api`; `account` is the folder that Kubernetes mounts into the pod."""
        namespace = (account / "namespace").read_text()
        self._http = httpx.Client(
            base_url=f"{api}/api/v1/namespaces/{namespace}/secrets",
            headers={"Authorization": f"Bearer {(account / 'token').read_text()}"},
            verify=ssl.create_default_context(cafile=account / "ca.crt"),
            timeout=SECONDS,
        )

    def read(self, name: str) -> dict[str, str]:
        """Return a Secret; one that is not there is empty."""
        answer = self._http.get(f"/{name}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return {}
        data = answer.raise_for_status().json().get("data") or {}
        return {file: base64.b64decode(text).decode() for file, text in data.items()}

    def add(self, name: str, files: Mapping[str, str]) -> None:
        """Add to a Secret, which is made when it is not there."""
        merge = {"Content-Type": "application/merge-patch+json"}
        added = self._http.patch(f"/{name}", json={"stringData": files}, headers=merge)
        if added.status_code == httpx.codes.NOT_FOUND:
            metadata = {"name": name, "labels": LABELS}
            secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": files}
            added = self._http.post("", json=secret)
        added.raise_for_status()
