"""What `up` was asked for, as it travels to the supervisor."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from cli.engines.address import Address
from cli.engines.data import DataFolder


@dataclass(frozen=True)
class Options:
    """The options of `up`."""

    data: str
    host: str
    port: int
    tls: bool
    workers: int

    @property
    def address(self) -> Address:
        """Return where the edge listens."""
        return Address(self.host, self.port, self.tls)

    @property
    def folder(self) -> DataFolder:
        """Return the data folder."""
        return DataFolder(Path(self.data))

    def to_json(self) -> str:
        """Write the options as one command-line argument."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Options":
        """Read what `to_json` wrote."""
        return cls(**json.loads(text))
