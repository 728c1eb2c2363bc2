"""`admin grant`: gives a role to an account, straight in the user service's database, for the first admin."""

import psycopg
import typer

from cli.engines.data import DataFolder
from cli.engines.running import running_postgres
from cli.problem import Problem


def grant(data: DataFolder, email: str, role: str) -> None:
    """Give the role to the account with this e-mail address; giving it twice changes nothing."""
    url = running_postgres(data).url("user_owner", "user_db")
    with psycopg.connect(url) as database:
        user = database.execute("SELECT id FROM users WHERE lower(email) = lower(%s)", [email]).fetchone()
        if user is None:
            raise Problem(f"Nobody signed up as {email}: sign up in the player first.")
        known = [name for (name,) in database.execute("SELECT name FROM roles ORDER BY name")]
        if role not in known:
            raise Problem(f"There is no role {role}. The roles are: {', '.join(known)}.")
        database.execute(
            "INSERT INTO user_roles (user_id, role_id) SELECT %s, id FROM roles WHERE name = %s ON CONFLICT DO NOTHING",
            [user[0], role],
        )
    typer.echo(f"{email} has {role}; it counts from the next sign-in or refresh.")
