"""What a handler has to know of the caller beside the token."""

from services.common import auth
from services.common.interceptors import Context
from services.user.domain import Place
from services.user.letters import language_of


def place() -> Place:
    """Say where the running call comes from."""
    caller = auth.call()
    return Place.of(caller.address, caller.device)


def language(context: Context) -> str:
    """Say in which language the caller reads mails."""
    accepted = dict(context.invocation_metadata() or ()).get("accept-language")
    return language_of(accepted if isinstance(accepted, str) else None)
