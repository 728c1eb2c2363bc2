"""`keys rotate`: lets the next signing key sign, or withdraws every key in an emergency."""

from dataclasses import dataclass

import grpc
import typer

from cli.engines.certificates import CertificateAuthority
from cli.engines.data import DataFolder
from cli.engines.parts import is_one_of
from cli.engines.running import running
from cli.problem import Problem
from services.common.peers import credentials
from spotilike.internal.v1.streaming_service_pb2 import RotateMediaKeysRequest
from spotilike.internal.v1.streaming_service_pb2_grpc import MediaKeyServiceStub
from spotilike.internal.v1.user_service_pb2 import RotateAccessKeysRequest
from spotilike.internal.v1.user_service_pb2_grpc import AccessKeyServiceStub

_CALL_SECONDS = 30.0


@dataclass(frozen=True)
class _Operator:
    """The command line as the services know it: by its certificate."""

    data: DataFolder

    def channel(self, context: str) -> grpc.Channel:
        """Open a channel to the internal listener of a context, of whichever replica."""
        ports = next(part["ports"] for part in running(self.data)["parts"] if is_one_of(part["name"], context))
        identity = credentials(CertificateAuthority(self.data.tls).service("cli"))
        return grpc.secure_channel(f"127.0.0.1:{ports['internal']}", identity)


def rotate(data: DataFolder, *, emergency: bool) -> None:
    """Rotate the keys of access tokens and of media tokens."""
    operator = _Operator(data)
    try:
        with operator.channel("user") as channel:
            access_request = RotateAccessKeysRequest(emergency=emergency)
            access = AccessKeyServiceStub(channel).RotateAccessKeys(access_request, timeout=_CALL_SECONDS)
        with operator.channel("streaming") as channel:
            media_request = RotateMediaKeysRequest(emergency=emergency)
            media = MediaKeyServiceStub(channel).RotateMediaKeys(media_request, timeout=_CALL_SECONDS)
    except grpc.RpcError as refused:
        raise Problem(f"The keys were not all rotated: {refused.details()}") from refused
    typer.echo(f"Access tokens are signed with {access.kid}, media tokens with {media.kid}.")
    if emergency:
        typer.echo("Every device is signed out. Services refuse the old tokens within 5 seconds, the edge within 15.")
