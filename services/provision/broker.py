"""Identities of NATS: one nkey per context, each with only the subjects it needs, and an administrator."""

from collections.abc import Mapping

import nkeys

from services.common.streams import CONTEXTS

ADMIN = "admin"
IDENTITIES = (ADMIN, *CONTEXTS)


def public_key(seed: str) -> str:
    """Return the half of an nkey by which the server knows it."""
    return str(nkeys.from_seed(seed.encode()).public_key.decode())


def accounts(seeds: Mapping[str, str]) -> str:
    """Write the block `accounts` of nats.conf for the identities with these seeds; it holds public keys only."""
    users = [f"{{ nkey: {public_key(seeds[ADMIN])} }}"]
    users += [f"{{ nkey: {public_key(seeds[context])}, permissions: {_permissions(context)} }}" for context in CONTEXTS]
    lines = "\n    ".join(users)
    return f"""accounts {{
  SPOTILIKE {{ jetstream: enabled, users: [
    {lines}
  ] }}
}}
"""


def _permissions(context: str) -> str:
    """Return what a context may do: publish its own facts and nudges, look at its own stream, pull from its consumers.

    The user context also reads what it has told, to know after a restore who was erased. Streams and consumers
    themselves are made by the admin identity.
    """
    publish = [
        f"spotilike.{context}.>",
        "nudge.>",
        f"$JS.API.STREAM.INFO.{context.upper()}",
        f"$JS.API.CONSUMER.MSG.NEXT.*.{context}",
        f"$JS.API.CONSUMER.INFO.*.{context}",
        f"$JS.ACK.*.{context}.>",
    ]
    if context == "user":
        publish.append("$JS.API.STREAM.MSG.GET.USER")
    subscribe = [f"_INBOX_{context}.>", f"nudge.{context}"]
    return f"{{ publish: {{ allow: [{_quoted(publish)}] }}, subscribe: {{ allow: [{_quoted(subscribe)}] }} }}"


def _quoted(subjects: list[str]) -> str:
    return ", ".join(f'"{subject}"' for subject in subjects)
