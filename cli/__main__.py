"""The `spotilike` command. Each command imports what it needs when it runs, so that `--help` answers at once."""

import ipaddress
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.engines.data import ROOT, DataFolder
from cli.problem import Problem

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
admin = typer.Typer(no_args_is_help=True, help="What only the operator of this machine may do.")
app.add_typer(admin, name="admin")
keys = typer.Typer(no_args_is_help=True, help="The keys that sign tokens.")
app.add_typer(keys, name="keys")

Data = Annotated[
    Path, typer.Option("--data", envvar="SPOTILIKE_DATA", help="The folder which holds everything.", metavar="DIR")
]
_DATA = ROOT / ".spotilike"
_MOST_WORKERS = 64
_MOST_REPLICAS = 4
_MOST_NATS_NODES = 3
_ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - these are what is refused


@app.command()
def up(  # noqa: PLR0913 - the options of the command
    *,
    data: Data = _DATA,
    port: Annotated[int, typer.Option(envvar="SPOTILIKE_PORT", min=1, max=65535, help="The edge's port.")] = 8080,
    detach: Annotated[bool, typer.Option("--detach", help="Return when everything is ready.")] = False,
    workers: Annotated[
        int, typer.Option(envvar="SPOTILIKE_WORKERS", min=1, max=_MOST_WORKERS, help="How many encode at once.")
    ] = 2,
    replicas: Annotated[
        int, typer.Option(envvar="SPOTILIKE_REPLICAS", min=1, max=_MOST_REPLICAS, help="Processes of each service.")
    ] = 1,
    nats_nodes: Annotated[
        int, typer.Option(envvar="SPOTILIKE_NATS_NODES", min=1, max=_MOST_NATS_NODES, help="Servers of NATS: 1 or 3.")
    ] = 1,
    host: Annotated[str, typer.Option(envvar="SPOTILIKE_HOST", help="The address the edge listens on.")] = "127.0.0.1",
    tls: Annotated[
        bool, typer.Option("--tls", help="Serve HTTPS under a certificate authority of this folder.")
    ] = False,
) -> None:
    """Start Spotilike and print its address.

    SPOTILIKE_ENVIRONMENT=production switches reflection off; SPOTILIKE_FFMPEG and SPOTILIKE_PG_BIN name other programs.
    Every other SPOTILIKE_* variable reaches the services as a setting.
    """
    from cli import up as implementation
    from cli.options import Options

    if nats_nodes == _MOST_NATS_NODES - 1:
        raise Problem("Of two NATS servers both are needed: choose --nats-nodes 3, of which any two will do, or 1.")
    if host in _ANY_ADDRESS:
        raise Problem(f"No certificate fits {host}: give the address by which other devices reach this machine.")
    if not (_is_loopback(host) or tls):
        raise Problem(f"Passwords would travel unprotected on {host}: add --tls to listen beyond this machine.")
    implementation.up(Options(str(data.resolve()), host, port, tls, workers, replicas, nats_nodes), detach=detach)


@app.command()
def down(data: Data = _DATA) -> None:
    """Stop what `up` started."""
    from cli import down as implementation

    implementation.down(DataFolder(data))


@app.command()
def restart(name: str, data: Data = _DATA) -> None:
    """Restart one part, or one after another all that share a name, and wait until they are ready."""
    from cli import down as implementation

    implementation.restart(DataFolder(data), name)


@app.command()
def status(*, data: Data = _DATA, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show every part with its state, process, ports, memory and processor time."""
    from cli import status as implementation

    implementation.status(DataFolder(data), as_json=as_json)


@app.command()
def logs(
    name: Annotated[str | None, typer.Argument(help="A part; all when left out.")] = None,
    *,
    data: Data = _DATA,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what comes.")] = False,
) -> None:
    """Show what the parts wrote."""
    from cli import logs as implementation

    implementation.logs(DataFolder(data), name, follow=follow)


@app.command()
def doctor(
    data: Data = _DATA,
    port: Annotated[int, typer.Option(envvar="SPOTILIKE_PORT", min=1, max=65535, help="The edge's port.")] = 8080,
) -> None:
    """Check this machine and what runs, one line a check."""
    from cli import doctor as implementation

    implementation.doctor(DataFolder(data), port)


@app.command()
def backup(folder: Path, data: Data = _DATA) -> None:
    """Save a running installation into a folder, which the next backup brings up to date."""
    from cli.backup import make

    make.backup(DataFolder(data), folder.resolve())


@app.command()
def restore(folder: Path, data: Data = _DATA) -> None:
    """Make an installation of a backup, in an empty data folder."""
    from cli.backup import restore as implementation

    implementation.restore(DataFolder(data), folder.resolve())


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def drill(context: typer.Context) -> None:
    """Lose an installation of its own and restore it from a backup; the arguments are those of `up`."""
    from cli import tests as implementation

    implementation.drill(context.args)


@app.command()
def seed(data: Data = _DATA) -> None:
    """Fill a running installation with demo artists and music, and print their accounts."""
    from cli.seed import publish

    publish.seed(DataFolder(data))


@app.command()
def mail(
    address: Annotated[str | None, typer.Argument(help="Only mails to this address.")] = None,
    *,
    data: Data = _DATA,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the mails that were captured instead of sent."""
    from cli import mail as implementation

    implementation.mail(DataFolder(data), address, as_json=as_json)


@app.command()
def trace(
    name: Annotated[str, typer.Argument(help="The id of an upload, a job, an artwork or a trace.")], data: Data = _DATA
) -> None:
    """Show what one upload set in motion. Traces are recorded where OTEL_TRACES_EXPORTER=file is set for `up`."""
    from cli import trace as implementation

    implementation.trace(DataFolder(data), name)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def test(context: typer.Context) -> None:
    """Run the tests; the arguments are pytest's. --nemesis kills everything at every step of 200 uploads instead."""
    from cli import tests as implementation

    implementation.test(context.args)


@admin.command()
def grant(email: str, role: str, data: Data = _DATA) -> None:
    """Give a role (ROLE_ADMIN) to an account."""
    from cli import admin as implementation

    implementation.grant(DataFolder(data), email, role)


@keys.command()
def rotate(
    *,
    data: Data = _DATA,
    emergency: Annotated[
        bool, typer.Option("--emergency", help="Withdraw every key at once and sign everybody out.")
    ] = False,
) -> None:
    """Sign with the next keys; tokens of the old ones stay good until they end."""
    from cli import keys as implementation

    implementation.rotate(DataFolder(data), emergency=emergency)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def main() -> None:
    """Run the command; a `Problem` is shown as its sentence."""
    try:
        app(prog_name="spotilike")
    except Problem as problem:
        typer.echo(f"spotilike: {problem}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
