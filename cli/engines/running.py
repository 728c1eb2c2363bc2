"""The engines of an installation which runs already, as other commands reach them."""

from cli.engines import control
from cli.engines.control import Answer
from cli.engines.data import DataFolder
from cli.engines.postgres import Postgres
from cli.engines.secret_files import SecretFiles
from cli.problem import Problem


def running(data: DataFolder) -> Answer:
    """Return the state of the installation, or raise `Problem` when it does not run."""
    answer = control.ask(data, "status")
    if answer is None or answer["state"] != "running":
        raise Problem(f"Spotilike does not run in {data.path}: start it with ./spotilike up.")
    return answer


def running_postgres(data: DataFolder) -> Postgres:
    """Return the database server of a running installation."""
    ports = {part["name"]: part["ports"] for part in running(data)["parts"]}
    return Postgres(data.path / "postgres", ports["postgres"]["postgres"], SecretFiles(data.secrets))
