"""What `up` prints: progress of the start, then the lines of the services with their names in front."""

import itertools
import os
import sys

from cli.engines.certificates import CertificateAuthority
from cli.engines.parts import is_one_of

_COLOURS = itertools.cycle(("36", "33", "35", "32", "34", "96", "93", "95", "92", "94"))
_NAME_WIDTH = 18
_ENGINES = ("postgres", "nats", "seaweedfs")


class Console:
    """The supervisor's audience: prints progress and, with `lines`, what the parts write."""

    def __init__(self, *, lines: bool) -> None:
        self._lines = lines
        self._coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._colours: dict[str, str] = {}

    def progress(self, name: str, text: str) -> None:
        """Print what happened to a part."""
        self._write(name, text)

    def line(self, name: str, text: str) -> None:
        """Print a line of a part; the engines' chatter stays in their log files."""
        if self._lines and not any(is_one_of(name, engine) for engine in _ENGINES):
            self._write(name, text)

    def ready(self, url: str, authority: CertificateAuthority | None) -> None:
        """Print the one line everybody waits for and, under TLS, which authority devices have to trust."""
        sys.stdout.write(f"Spotilike is ready: {url}\n")
        if authority:
            sys.stdout.write(
                f"Other devices trust it once they have the certificate {authority.certificate_file}\n"
                f"with the SHA-256 fingerprint {authority.fingerprint()}\n"
            )
        sys.stdout.flush()

    def _write(self, name: str, text: str) -> None:
        prefix = f"{name:<{_NAME_WIDTH}} | "
        if self._coloured:
            colour = self._colours.setdefault(name, next(_COLOURS))
            prefix = f"\x1b[{colour}m{prefix}\x1b[0m"
        sys.stdout.write(f"{prefix}{text}\n")
        sys.stdout.flush()
