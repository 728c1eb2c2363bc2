"""Where the edge listens."""

import errno
from dataclasses import dataclass

from cli.engines.ports import try_to_listen
from cli.problem import Problem


@dataclass(frozen=True)
class Address:
    """Host and port of the edge, and whether it speaks TLS under our own certificate authority."""

    host: str
    port: int
    tls: bool

    @property
    def url(self) -> str:
        """Return the address for browsers."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    def refuse_when_taken(self) -> None:
        """Raise `Problem` when the edge could not listen here."""
        try:
            try_to_listen(self.host, self.port)
        except PermissionError as error:
            raise Problem(f"Only root may listen on port {self.port}: choose one above 1023 with --port.") from error
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise Problem(f"This machine cannot listen on {self.host}: give one of its addresses.") from error
            raise Problem(
                f"Port {self.port} of {self.host} is in use: stop the program which uses it or choose another "
                "with --port."
            ) from error
