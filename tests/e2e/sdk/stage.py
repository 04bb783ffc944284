"""A blank page on a server's own address, in which scenarios (`js/`) are played with the SDK."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from playwright.sync_api import BrowserContext, Route

from tests.e2e.server import ServerProcess

JS = Path(__file__).with_name("js")
SCENARIOS = JS / "scenarios"
MODULES = "/static/rtm/index.js"
BUNDLE = "/static/rtm/dist/rtm-sdk.js"
BLANK = "/static/rtm/connection/backoff.js"
"""Shown as plain text, so a page without scripts, from the server itself: one made up here could not connect to a local
address."""
PLAY = "async (casting) => { const { run } = await import('/e2e/run.js'); await run(casting, window.ask); }"
PLAY_IN_WORKER = """(casting) => new Promise((resolve, reject) => {
    // By way of a blob it is a child of this page, which may connect to a local address.
    const script = new Blob([`import '${location.origin}/e2e/worker.js';`], { type: 'text/javascript' });
    const worker = new Worker(URL.createObjectURL(script), { type: 'module' });
    worker.onmessage = ({ data }) => { worker.terminate(); data === null ? resolve() : reject(new Error(data)); };
    worker.onerror = (event) => reject(new Error(`the worker failed: ${event.message}`));
    worker.postMessage(casting);
})"""

ON_PURPOSE = "a listener's own fault"
"""What a scenario throws itself, and the page rightly reports."""

Codes = dict[str, dict[str, int]]


def scenarios(file: str) -> list[str]:
    """The names of the scenarios in a file."""
    return re.findall(r"^export async function (\w+)\(", (SCENARIOS / f"{file}.js").read_text(), re.MULTILINE)


def contract_codes(flavour: str) -> Codes:
    """The error numbers of docs/contract.md 12, by group and name: Agora's, or anyRTC's where they differ."""
    text = (settings.BASE_DIR / "docs" / "contract.md").read_text()
    table = text[text.index("## 12.") : text.index("## 13.")]
    codes: Codes = {}
    for groups, row in re.findall(r"^\| (`[A-Z_`, ]+_ERR`) \| (.+) \|$", table, re.MULTILINE):
        numbers = re.findall(r"([A-Z_]+) (\d+)(?:/(\d+))?", row)
        for group in groups.replace("`", "").split(", "):
            codes[group] = {
                name: int(other if other and flavour == "anyrtc" else code) for name, code, other in numbers
            }
    return codes


def serve_scenarios(context: BrowserContext) -> None:
    """The server under test knows nothing of these files."""

    def answer(route: Route) -> None:
        name = route.request.url.partition("/e2e/")[2]
        route.fulfill(path=JS / name, content_type="text/javascript")

    context.route("**/e2e/**", answer)


class Stage:
    """One page; what goes wrong in it outside of a scenario ends up in `troubles`."""

    def __init__(self, context: BrowserContext, server: ServerProcess, app: str) -> None:
        self.server = server
        self.app = app
        self.troubles: list[str] = []
        self.page = context.new_page()
        self.page.on("pageerror", self._trouble)
        self.page.expose_function("ask", self._ask)
        self.page.goto(f"{server.url}{BLANK}")

    def play(self, file: str, scenario: str, *, entry: str = MODULES, flavour: str = "agora", how: str = PLAY) -> None:
        """Raises playwright's Error with the scenario's own message."""
        casting = {
            "entry": entry,
            "flavour": flavour,
            "file": file,
            "scenario": scenario,
            "server": self.server.url,
            "app": self.app,
            "codes": contract_codes(flavour),
        }
        self.page.evaluate(how, casting)
        assert self.troubles == []

    def _trouble(self, error: Any) -> None:
        if ON_PURPOSE not in str(error):
            self.troubles.append(str(error))

    def _ask(self, question: str, *details: str) -> str:
        """What a scenario wants of the server's staff."""
        return STAFF[question](self.server, *details)


def _app_with_certificate(server: ServerProcess) -> str:
    return server.manage("create_project", "with tokens", "--enable-certificate").split()[2]


STAFF: dict[str, Callable[..., str]] = {
    "kick": lambda server, app, uid: server.manage("kick", app, uid),
    "ban": lambda server, app, uid: server.manage("ban", app, uid),
    "app with a certificate": _app_with_certificate,
    "token": lambda server, app, uid, seconds: server.manage("issue_token", app, uid, "--seconds", seconds).strip(),
}
