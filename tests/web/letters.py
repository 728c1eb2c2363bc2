"""The mails that an installation has sent, as `./spotilike mail` shows them."""

import json
import re

from tests.support.installation import Installation
from tests.web.browser import Tab

Letter = dict[str, str]


def letters(installation: Installation, address: str) -> list[Letter]:
    """Return the mails to an address, the newest last."""
    shown: list[Letter] = json.loads(installation.command("mail", address, "--json").stdout)
    return shown


def mailed_link(tab: Tab, installation: Installation, address: str, page: str) -> str:
    """Wait for a mail to `address` with a link to `page`; return the link of the newest one, without the origin."""
    pattern = re.compile(rf"{re.escape(tab.url)}({page}#token=\S+)")

    def links() -> list[str]:
        return [
            found[1] for letter in letters(installation, address) for found in [pattern.search(letter["text"])] if found
        ]

    tab.wait_until(lambda: bool(links()), f"the mail to {address} with a link to {page}")
    return links()[-1]
