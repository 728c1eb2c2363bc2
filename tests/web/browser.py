"""Tabs of a real Chromium, and what went wrong in them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, StorageStateCookie, expect

from tests.e2e.song import PASSWORD, Listener

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
PATIENCE_MS = 60_000

_FIND_ELEMENT = """
const connect = AudioContext.prototype.createMediaElementSource
AudioContext.prototype.createMediaElementSource = function (element) {
  window.heardElement = element
  return connect.call(this, element)
}
"""
_RECORD = """
const connectHeard = AudioContext.prototype.createMediaElementSource
const recorder = `registerProcessor('recorder', class extends AudioWorkletProcessor {
  process([[left]]) {
    if (left) this.port.postMessage(left.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0))
    return true
  }
})`
window.heardPeaks = []
AudioContext.prototype.createMediaElementSource = function (element) {
  const source = connectHeard.call(this, element)
  const module = URL.createObjectURL(new Blob([recorder], { type: 'text/javascript' }))
  this.audioWorklet.addModule(module).then(() => {
    const node = new AudioWorkletNode(this, 'recorder')
    node.port.onmessage = ({ data }) => window.heardPeaks.push(data)
    source.connect(node).connect(this.destination)
  })
  return source
}
"""


@dataclass
class Tab:
    """A tab, with everything that its console and the network complained about."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Note errors from now on."""
        self.page.on("pageerror", lambda error: self.complaints.append(f"exception: {error}"))
        self.page.on("console", self._hear)

    def _hear(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text}")

    def open(self, path: str) -> None:
        """Load an address of the installation anew."""
        self.page.goto(f"{self.url}{path}")
        expect(self.page.locator("main h1").first).to_be_attached()

    def enter(self, email: str, password: str = PASSWORD) -> None:
        """Fill in the form of the door and send it."""
        self.page.locator("input[type=email]").fill(email)
        self.page.locator("input[type=password]").fill(password)
        self.page.locator("main form [type=submit]").click()

    def sign_in(self, email: str, password: str = PASSWORD) -> None:
        """Sign in by the form."""
        self.open("/sign-in")
        self.enter(email, password)
        expect(self.page).to_have_url(f"{self.url}/")

    def position(self) -> float:
        """Return where the sound is, in seconds."""
        return float(self.page.evaluate("window.heardElement?.currentTime ?? 0"))

    def record(self) -> None:
        """Let an AudioWorklet hear what is played from the next page on. The page's policy must be bypassed for it."""
        self.page.add_init_script(_RECORD)

    def loudest(self) -> float:
        """Return the loudest sample that the AudioWorklet has heard, 1 being full scale."""
        return float(self.page.evaluate("Math.max(0, ...window.heardPeaks)"))

    def wait_until(self, true: Callable[[], bool], what: str) -> None:
        """Wait for something that the page does not show."""
        for _ in range(PATIENCE_MS // 50):
            if true():
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"{what} did not happen")

    def axe(self, *rules: str) -> list[str]:
        """Return what the rules of axe-core complain about, all of them unless some are named."""
        found = Axe().run(self.page, options={"runOnly": list(rules)} if rules else None)["violations"]
        return [f"{rule['id']}: {[node['html'][:200] for node in rule['nodes']]}" for rule in found]


def session_of(listener: Listener) -> StorageState:
    """Sign somebody in as the page does, without the page; answers what a browser keeps of it."""
    url = listener.http.base_url
    origin = f"{url.scheme}://{url.netloc.decode()}"
    wanted = {"email": listener.account["email"], "password": PASSWORD, "useCookie": True}
    answer = listener.plain.post("/v1/sessions", json=wanted, headers={"Origin": origin})
    assert answer.is_success, answer.text
    session = answer.json()["session"]["name"].rsplit("/", 1)[-1]
    cookies: list[StorageStateCookie] = [
        {
            "name": str(cookie.name),
            "value": str(cookie.value),
            "domain": url.host,
            "path": cookie.path,
            "expires": -1,
            "httpOnly": True,
            "secure": True,
            "sameSite": "Strict",
        }
        for cookie in answer.cookies.jar
    ]
    return {
        "cookies": cookies,
        "origins": [{"origin": origin, "localStorage": [{"name": "spotilike.session", "value": session}]}],
    }


@contextmanager
def visit(browser: Browser, url: str, **options: Any) -> Iterator[Tab]:
    """Open a tab in a browser profile of its own; nothing may have gone wrong in it when it is left."""
    context = browser.new_context(**{"viewport": DESKTOP, "locale": "en-US", "color_scheme": "dark", **options})
    tab = new_tab(context, url)
    yield tab
    context.close()
    assert tab.complaints == []


def new_tab(context: BrowserContext, url: str) -> Tab:
    """Open one more tab of a profile."""
    tab = Tab(context.new_page(), url)
    tab.page.add_init_script(_FIND_ELEMENT)
    tab.watch()
    return tab
