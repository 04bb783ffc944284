"""The SDK's bundles in a real browser, in a page of another origin than the server's."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page

from projects.demo import DEMO_APP_ID

OpenPage = Callable[..., Page]
"""Opens a page that holds this text, answered with these headers."""

DIST: Final = Path(settings.BASE_DIR) / "static" / "rtm" / "dist"
PACKAGE: Final = json.loads((DIST / "package.json").read_text())
CONVERSATION: Final = """async ([app, room]) => {
    const heard = [];
    const enter = async (uid) => {
        const client = AgoraRTM.createInstance(app);
        await client.login({ uid });
        const channel = client.createChannel(room);
        channel.on("ChannelMessage", ({ text }, sender) => heard.push(`${uid}: ${text} (${sender})`));
        await channel.join();
        return { client, channel };
    };
    const [ann, bob] = [await enter("ann-" + room), await enter("bob-" + room)];
    const arrived = new Promise((resolve) => ann.client.on("MessageFromPeer", ({ text }) => resolve(text)));
    await ann.channel.sendMessage({ text: "hello" });
    const { hasPeerReceived } = await bob.client.sendMessageToPeer({ text: "hello, ann" }, "ann-" + room);
    const told = await arrived;
    await Promise.all([ann, bob].map(({ client }) => client.logout()));
    return { heard, told, hasPeerReceived };
}"""


class Host(ThreadingHTTPServer):
    """The application's own server, on a port of its own: it has one page."""

    headers: dict[str, str]
    body: str


class PageHandler(BaseHTTPRequestHandler):
    server: Host

    def do_GET(self) -> None:
        self.send_response(200)
        for name, value in {"Content-Type": "text/html", **self.server.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(f"<!doctype html><title>app</title>{self.server.body}".encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: the tests' output is for tests."""


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[OpenPage]:
    context = chromium.new_context()
    with Host(("127.0.0.1", 0), PageHandler) as host:
        thread = Thread(target=host.serve_forever)
        thread.start()

        def open_one(body: str, **headers: str) -> Page:
            host.body, host.headers = body, {name.replace("_", "-"): value for name, value in headers.items()}
            page = context.new_page()
            page.goto(f"http://127.0.0.1:{host.server_port}")
            return page

        yield open_one
        context.close()
        host.shutdown()
        thread.join()


def script(url: str, name: str) -> str:
    digest = base64.b64encode(hashlib.sha384((DIST / name).read_bytes()).digest()).decode()
    source = f"{url}/static/rtm/{PACKAGE['version']}-{PACKAGE['build']}/{name}"
    return f'<script src="{source}" crossorigin="anonymous" integrity="sha384-{digest}"></script>'


def converse(page: Page, room: str) -> None:
    said: dict[str, Any] = page.evaluate(CONVERSATION, [DEMO_APP_ID, room])
    assert said == {"heard": [f"bob-{room}: hello (ann-{room})"], "told": "hello, ann", "hasPeerReceived": True}


@pytest.mark.parametrize("name", ["rtm-sdk.js", "rtm-sdk.legacy.js"])
def test_a_pinned_script_finds_its_server_and_keeps_time_in_a_worker(
    open_page: OpenPage, url: str, room: str, name: str
) -> None:
    page = open_page(script(url, name))
    converse(page, room)
    assert [worker.url[:5] for worker in page.workers] == ["blob:"]


@pytest.mark.parametrize("name", ["rtm-sdk.mjs", "ar-rtm-sdk.mjs"])
def test_a_module_finds_its_server(open_page: OpenPage, url: str, room: str, name: str) -> None:
    page = open_page("")
    page.evaluate(
        "async (source) => { globalThis.AgoraRTM = (await import(source)).default; }", f"{url}/static/rtm/dist/{name}"
    )
    converse(page, room)


def test_a_policy_that_forbids_workers_forbids_nothing_else(open_page: OpenPage, url: str, room: str) -> None:
    policy = f"script-src {url}; worker-src 'none'; connect-src {url} ws:"
    page = open_page(script(url, "rtm-sdk.js"), Content_Security_Policy=policy)
    converse(page, room)
    assert page.workers == []


def test_a_page_that_asks_for_isolation_gets_the_script(open_page: OpenPage, url: str, room: str) -> None:
    page = open_page(
        f'<script src="{url}/static/rtm/dist/rtm-sdk.js"></script>',
        Cross_Origin_Opener_Policy="same-origin",
        Cross_Origin_Embedder_Policy="require-corp",
    )
    assert page.evaluate("crossOriginIsolated")
    converse(page, room)


def test_a_client_asks_for_its_area_and_sends_its_log(open_page: OpenPage, url: str) -> None:
    page = open_page(script(url, "rtm-sdk.js"))
    with page.expect_response(f"{url}/rtm/endpoints") as asked, page.expect_response(f"{url}/rtm/logs") as sent:
        page.evaluate(
            """async (app) => {
                AgoraRTM.setArea({ areaCodes: ["EUROPE"] });
                const client = AgoraRTM.createInstance(app, { enableLogUpload: true });
                await client.login({ uid: "logged" });
                await client.logout();
            }""",
            DEMO_APP_ID,
        )
    assert asked.value.json() == {"endpoints": []}
    assert sent.value.status == 204
