"""Where the edge listens."""

from dataclasses import dataclass

from cli.engines.ports import is_free
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
        if not is_free(self.port, self.host):
            raise Problem(
                f"Port {self.port} of {self.host} is not free: stop the program which uses it or choose another "
                "with --port."
            )
