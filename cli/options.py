"""What `up` was asked for, as it travels to the supervisor."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from cli.engines.address import Address
from cli.engines.data import DataFolder
from cli.engines.parts import Counts


@dataclass(frozen=True)
class Options:
    """The options of `up`."""

    data: str
    host: str
    port: int
    tls: bool
    workers: int
    replicas: int
    nats_nodes: int

    @property
    def address(self) -> Address:
        """Return where the edge listens."""
        return Address(self.host, self.port, self.tls)

    @property
    def counts(self) -> Counts:
        """Return how many there are of what there may be several of."""
        return Counts(self.workers, self.replicas, self.nats_nodes)

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
