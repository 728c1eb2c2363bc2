"""Ports of the parts: picked once, free, and kept in the data folder."""

import json
import random
import socket
from pathlib import Path

_RANGE = range(10300, 32700)
"""Below the kernel's ephemeral ports (from 32768), and wide, since whoever starts at the same moment picks as well."""
_PAIRED_RANGE = range(20000, 22700)
"""Below them also after the 10000 which SeaweedFS adds for gRPC."""


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the loopback port now."""
    try:
        try_to_listen("127.0.0.1", port)
    except OSError:
        return False
    return True


def try_to_listen(host: str, port: int) -> None:
    """Listen on an address for a moment; raises `OSError` when that cannot be done."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    socket.create_server((host, port), family=family).close()


class PortBook:
    """Hands out one loopback port per name and remembers it, so that two data folders live side by side."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._kept: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
        self._taken: set[int] = set()

    def take(self, name: str, *, paired_with: int = 0) -> int:
        """Return the port of `name`; a port which somebody else took meanwhile is replaced.

        With `paired_with`, the port at that distance is free as well.
        """
        kept = self._kept.get(name)
        if kept is None or not self._usable(kept, paired_with):
            others = set(self._kept.values())
            # Random, not ascending: two installations which start at the same moment seldom look at the same port.
            wanted = _PAIRED_RANGE if paired_with else _RANGE
            candidates = random.sample(wanted, len(wanted))
            kept = next(port for port in candidates if port not in others and self._usable(port, paired_with))
            self._kept[name] = kept
            self._file.write_text(json.dumps(self._kept, indent=2) + "\n")
        self._taken.update({kept, kept + paired_with})
        return kept

    def _usable(self, port: int, paired_with: int) -> bool:
        ports = {port, port + paired_with}
        return not ports & self._taken and all(is_free(one) for one in ports)
