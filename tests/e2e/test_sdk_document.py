"""docs/sdk.md is true: its examples run against a server, print what it says, and show everything there is."""

import json
import re
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page

from projects.demo import DEMO_APP_ID
from projects.tokens.access_token_007 import issue_007
from tests.e2e.sdk_document import EXAMPLES, PAGES, Example, in_page
from tests.e2e.server import ServerProcess

HARNESS: Final = Path(__file__).parent / "examples"
DIST: Final = Path(settings.BASE_DIR) / "static" / "rtm" / "dist"
CERTIFICATE: Final = "0f" * 16
INNER: Final = re.compile("emit|..?")
"""Methods that are the SDK's own affair: most of them have one or two letters in the bundles (scripts/sdk/names.js)."""
MAKE_PROJECTS: Final = """
from projects.services import create_project
for app_id, is_enabled in {}:
    create_project(name=app_id, app_id=app_id, certificate="{}", certificate_enabled=is_enabled)
"""

each_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"line-{example.line}")
OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def apps(shared_server: ServerProcess) -> dict[int, str]:
    """A project for each example: it finds nobody's messages and spends nobody's rates."""
    apps = {example.line: secrets.token_hex(16) for example in EXAMPLES}
    wanted = [(apps[example.line], "fetchToken" in example.given) for example in EXAMPLES]
    shared_server.manage("shell", "--command", MAKE_PROJECTS.format(wanted, CERTIFICATE))
    return apps


@pytest.fixture
def context(chromium: Browser, url: str) -> Iterator[BrowserContext]:
    context = chromium.new_context()
    context.route(
        f"{url}/examples/*.js", lambda route: route.fulfill(path=HARNESS / route.request.url.rpartition("/")[2])
    )
    yield context
    context.close()


@pytest.fixture
def open_page(context: BrowserContext, url: str) -> OpenPage:
    """Opens a page of the server's own: one that is made up has no address, and Chromium lets it reach none here."""

    def open_page(content: str = "") -> Page:
        page = context.new_page()
        page.goto(f"{url}/static/rtm/dist/package.json")
        page.set_content(content)
        return page

    return open_page


def run_in_node(example: Example, source: str, app: str, folder: Path) -> dict[str, str]:
    (folder / "node_modules").mkdir()
    (folder / "node_modules" / "rostrum-rtm").symlink_to(DIST)
    prelude = (
        f'import {{ format }} from "{HARNESS / "format.js"}"; const APP_ID = "{app}";'
        "const print = (line, ...args) => console.log(JSON.stringify([line, format(args)]));"
    )
    (folder / "example.mjs").write_text(prelude + source)
    done = subprocess.run(
        ["node", "--experimental-websocket", "--no-warnings", "example.mjs"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return {str(line): text for line, text in map(json.loads, done.stdout.splitlines())}


def parts(covered: dict[str, Any], *, ran: bool) -> set[str]:
    """Parts of the example that were executed, or were not, since this was asked the last time."""
    scripts = [script for script in covered["result"] if script["url"].endswith("example.js")]
    ranges = [each for script in scripts for function in script["functions"] for each in function["ranges"]]
    return {f"{each['startOffset']}-{each['endOffset']}" for each in ranges if (each["count"] > 0) is ran}


def never_ran(page: Page, devtools: CDPSession) -> set[str]:
    """The parts of the example that were not executed, nor soon after its end: a socket's last event may be late."""
    idle = parts(devtools.send("Profiler.takePreciseCoverage"), ran=False)
    for _ in range(50):
        if not idle:
            break
        page.wait_for_timeout(100)
        idle -= parts(devtools.send("Profiler.takePreciseCoverage"), ran=True)
    return idle


@each_example
def test_an_example_prints_what_it_says(
    example: Example, apps: dict[int, str], url: str, open_page: OpenPage, tmp_path: Path
) -> None:
    app = apps[example.line]
    source = example.source(url, app)
    assert example.expected, "an example shows what comes of it"
    page = open_page()
    if example.place == "node":
        printed = run_in_node(example, source, app, tmp_path)
    else:
        page.expose_function("issueToken", lambda uid, seconds: token(app, uid, seconds))
        devtools = page.context.new_cdp_session(page)
        devtools.send("Profiler.enable")
        devtools.send("Profiler.startPreciseCoverage", {"callCount": True, "detailed": True})
        running = {
            "source": source,
            "place": example.place,
            "given": example.given,
            "app": app,
            "expected": example.expected,
        }
        printed = page.evaluate("async (example) => (await import('/examples/harness.js')).run(example)", running)
        if example.place == "page":
            assert never_ran(page, devtools) == set()
    agree = page.evaluate(
        "async (pairs) => (await import('/examples/harness.js')).agreeing(pairs)", [printed, example.expected]
    )
    assert agree, (printed, example.expected)


def token(app: str, uid: str, seconds: int) -> str:
    return issue_007(app_id=app, certificate=CERTIFICATE, uid=uid, issued_s=int(time.time()), valid_s=seconds, salt=1)


@pytest.mark.parametrize("text", PAGES)
def test_a_page_of_the_document_prints_what_it_says(text: str, url: str, open_page: OpenPage) -> None:
    body, expected = in_page(text, url, DEMO_APP_ID)
    page = open_page(body)
    for line in expected:
        page.wait_for_function("line => globalThis.printed?.includes(line)", arg=line)


def test_every_method_has_its_example(open_page: OpenPage) -> None:
    methods = set(open_page().evaluate("async () => (await import('/examples/harness.js')).methods()"))
    assert {"login", "join", "accept", "cancel", "createInstance", "listenerCount"} <= methods
    shown = {name for example in EXAMPLES for name in re.findall(r"\.(\w+)\(", example.text)}
    assert {name for name in methods - shown if INNER.fullmatch(name) is None} == set()


def test_every_event_has_its_example() -> None:
    types = (DIST / "rtm-sdk.d.ts").read_text()
    declared = types[types.index("namespace RtmEvents") :].partition("\n}\n")[0]
    events = set(re.findall(r"^    (\w+): \(", declared, re.MULTILINE))
    assert {"ChannelMessage", "MessageFromPeer", "LocalInvitationAccepted", "TokenExpired"} <= events
    shown = {name for example in EXAMPLES for name in re.findall(r'"(\w+)"', example.text)}
    assert events - shown == set()
