"""People in front of browsers: what they do, and what they see."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

RECONNECT_MS = 30_000
"""Back-off is at most 15 s, and a server takes some to start."""


@dataclass
class Person:
    """A browser of its own (cookies, storage) with one page, and what went wrong in it."""

    context: BrowserContext
    page: Page
    name: str
    troubles: list[str] = field(default_factory=list)

    @property
    def messages(self) -> Locator:
        return self.page.locator("#messages .bub")

    @property
    def own_messages(self) -> Locator:
        return self.page.locator("#messages .msg.me .bub")

    @property
    def people(self) -> Locator:
        return self.page.locator("#people .person .name > :first-child")

    @property
    def notes(self) -> Locator:
        return self.page.locator("#messages .note span")

    @property
    def field(self) -> Locator:
        return self.page.locator("#message")

    @property
    def connection(self) -> Locator:
        return self.page.locator("#connection")

    def open(self, url: str) -> None:
        self.page.goto(url)
        expect(self.page.locator("body")).not_to_have_attribute("data-view", "start")

    def join(self, url: str, room: str) -> None:
        self.open(f"{url}/?room={room}")
        self.page.locator("#name").fill(self.name)
        self.page.locator("#join-button").click()
        self.expect_in_room()

    def expect_in_room(self) -> None:
        expect(self.page.locator("body")).to_have_attribute("data-view", "chat")
        expect(self.connection).to_have_class(re.compile("good"))

    def say(self, text: str) -> None:
        self.field.fill(text)
        self.field.press("Enter")
        expect(self.field).to_have_value("")

    def expect_messages(self, texts: Sequence[str | re.Pattern[str]], timeout_ms: float = 5000) -> None:
        expect(self.messages).to_have_text(texts, timeout=timeout_ms)

    def expect_no_sideways_scroll(self) -> None:
        width, visible = self.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert width <= visible, f"{width} px wide on a screen of {visible}"


def is_expected(message: ConsoleMessage) -> bool:
    """A server that is down: a socket that cannot be opened, the icon that Chromium asks for late."""
    return "WebSocket connection" in message.text or message.location["url"].endswith("favicon.svg")


def new_person(browser: Browser, origin: str, name: str, **options: Any) -> Person:
    """`options` are those of a browser context. Whatever a page complains of, or fetches from another
    host, ends up in `troubles`."""
    context = browser.new_context(**({"viewport": {"width": 1280, "height": 800}} | options))
    person = Person(context, context.new_page(), name)
    page = person.page
    page.on("pageerror", lambda error: person.troubles.append(str(error)))
    page.on(
        "console",
        lambda message: (
            person.troubles.append(f"{message.text} {message.location['url']}")
            if message.type == "error" and not is_expected(message)
            else None
        ),
    )
    page.on(
        "request",
        lambda request: (
            None
            if request.url.removeprefix("blob:").startswith(origin)
            else person.troubles.append(f"fetched {request.url}")
        ),
    )
    return person
