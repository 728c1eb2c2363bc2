"""The mails that an installation has sent, as `./spotilike mail` shows them."""

import json
import re
from typing import Any

from tests.support.installation import Installation
from tests.web.browser import Tab

Letter = dict[str, Any]


def letters(installation: Installation, address: str) -> list[Letter]:
    """Return the mails to an address, the newest last."""
    shown = json.loads(installation.command("mail", "--json").stdout)
    return [letter for letter in shown if letter["to"] == address]


def mailed_link(tab: Tab, installation: Installation, address: str, page: str) -> str:
    """Wait for a mail to `address` with a link to `page`; return the link of the newest one, without the origin."""
    pattern = re.compile(rf"{re.escape(tab.url)}({page}#token=\S+)")

    def links() -> list[str]:
        return [found[1] for letter in letters(installation, address) for found in [pattern.search(letter["text"])] if found]

    tab.wait_until(lambda: bool(links()), f"the mail to {address} with a link to {page}")
    return links()[-1]
