"""Who holds which secrets. Each set is one folder of files, or one Secret of Kubernetes, of the same name.

Everything is made of values that are kept apart, in the set `provision-made`, which nobody mounts: a set that was lost
is written again as it was.
"""

import json
from collections.abc import Sequence

from services.common.streams import CONTEXTS
from services.provision import broker, certificates, databases, objects
from services.provision.certificates import Pair
from services.provision.databases import SUPERUSER
from services.provision.keepers import Keeper
from services.provision.made import Made, MadeBefore

MADE = "provision-made"
STORE_USERS = ("catalog", "processing")
"""The contexts that read or write objects."""
SEALERS = ("user", "streaming")
"""The contexts that keep signing keys in their database, sealed."""
_STORE_TOKENS = {
    "jwt.signing": "weed_volume_write",
    "jwt.signing.read": "weed_volume_read",
    "jwt.filer_signing": "weed_filer_write",
    "jwt.filer_signing.read": "weed_filer_read",
}

Files = dict[str, str]


def of_context(context: str, database_url: str, made: Made) -> dict[str, str]:
    """Return the secret settings of a context's service and workers."""
    settings = {"SPOTILIKE_DATABASE_URL": database_url}
    if context in STORE_USERS:
        settings |= objects.credentials(made, context).settings
    if context in SEALERS:
        settings["SPOTILIKE_KEY_ENCRYPTION_SECRET"] = made.fernet_key(f"{context}_key_encryption")
    if context == "user":
        settings["SPOTILIKE_REFRESH_SECRET"] = made.password("refresh_tokens")
    return settings


def write_all(keeper: Keeper, postgres: str, hosts: Sequence[str]) -> list[str]:
    """Make every set of secrets that is not there, or not whole; answers the names of those that were written.

    `postgres` is host:port of the databases; `hosts` are patterns of the names by which services reach each other,
    such as `{service}.music.svc`. What is kept already stays as it is.
    """
    made = MadeBefore(keeper.read(MADE))
    sets = {**_application_sets(made, postgres), **_engine_sets(made, postgres)}
    authority = _authority(made)
    written = _complete(keeper, MADE, made.new)
    for name, files in sets.items():
        written += _complete(keeper, name, files)
    for service in certificates.SERVICES:
        if not keeper.read(f"{service}-tls"):
            written += _complete(keeper, f"{service}-tls", _identity(authority, service, hosts))
    return written


def _application_sets(made: Made, postgres: str) -> dict[str, Files]:
    sets = {}
    for context in CONTEXTS:
        app = _files(of_context(context, _url(made, postgres, f"{context}_app", f"{context}_db"), made))
        sets[f"{context}-secrets"] = app | {"nats.nk": _seed(made, context)}
        owner = _url(made, postgres, f"{context}_owner", f"{context}_db")
        sets[f"{context}-owner"] = _files({"SPOTILIKE_DATABASE_URL": owner})
    scaler = _url(made, postgres, databases.SCALER, "processing_db")
    return sets | {
        "worker-secrets": sets["processing-secrets"],
        "edge-secrets": _files(objects.credentials(made, "edge").settings),
        "scaler-secrets": _files({"SPOTILIKE_DATABASE_URL": scaler}),
    }


def _engine_sets(made: Made, postgres: str) -> dict[str, Files]:
    passwords = {role: made.password(f"postgres_{role}") for context in CONTEXTS for role in databases.roles(context)}
    provision = {
        "SPOTILIKE_ADMIN_DATABASE_URL": _url(made, postgres, SUPERUSER, "postgres"),
        "SPOTILIKE_ROLE_PASSWORDS": json.dumps(passwords),
        **objects.credentials(made, "admin").settings,
    }
    tokens = [f'[{table}]\nkey = "{made.password(name)}"\n' for table, name in _STORE_TOKENS.items()]
    seeds = {identity: _seed(made, identity) for identity in broker.IDENTITIES}
    return {
        "provision-secrets": _files(provision) | {"nats.nk": _seed(made, broker.ADMIN)},
        "postgres-secrets": {"password": made.password(f"postgres_{SUPERUSER}")},
        "nats-config": {"accounts.conf": broker.accounts(seeds)},
        "seaweedfs-identities": {"identities.json": objects.identities(made), "security.toml": "\n".join(tokens)},
    }


def _authority(made: Made) -> Pair:
    """Return the authority, whose two halves are kept as one: a key without its certificate is worth nothing."""
    kept = made.once("authority", lambda: json.dumps(vars(certificates.new_authority("Spotilike"))))
    return Pair(**json.loads(kept))


def _identity(authority: Pair, service: str, hosts: Sequence[str]) -> Files:
    names = certificates.service_names(service, [host.format(service=service) for host in hosts])
    leaf = certificates.issue(authority, service, names)
    return {"tls.crt": leaf.certificate, "tls.key": leaf.key, "ca.crt": authority.certificate}


def _complete(keeper: Keeper, name: str, files: Files) -> list[str]:
    kept = keeper.read(name)
    missing = {file: text for file, text in files.items() if file not in kept}
    if not missing:
        return []
    keeper.add(name, missing)
    return [name]


def _files(settings: dict[str, str]) -> Files:
    """Name settings as files in `SPOTILIKE_SECRETS_DIR` are."""
    return {name.lower(): value for name, value in settings.items()}


def _seed(made: Made, identity: str) -> str:
    return made.nkey_seed(f"nats_{identity}")


def _url(made: Made, postgres: str, role: str, database: str) -> str:
    return f"postgresql://{role}:{made.password(f'postgres_{role}')}@{postgres}/{database}"
