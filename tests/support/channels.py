"""Channels that show a client every refusal: without turns, health checks and repetitions, as services have them."""

from pathlib import Path

import grpc

from services.common.peers import credentials


def channel(target: str, tls_dir: Path) -> grpc.aio.Channel:
    """Open a channel to one listener, host:port, with the certificate in `tls_dir`."""
    return grpc.aio.secure_channel(target, credentials(tls_dir))
