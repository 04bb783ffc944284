"""`make bench-sdk`: 10,000 messages a second through the SDK in Chromium, and how long its tasks keep the page busy.

The server is a socket in the page (`flood.js`), so that nothing but the SDK and the browser is measured.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Route, sync_playwright

from scripts.system import chromium

ROOT = Path(__file__).resolve().parent.parent.parent
ORIGIN = "http://flood.invalid"
FLOOD = """async ([entry, options]) => {
    const { default: rtm } = await import(entry);
    const { flood } = await import('/benchmarks/sdk/flood.js');
    return await flood(rtm, options);
}"""


@dataclass(frozen=True)
class Case:
    """`frames` each second carry `per_second` messages, for so many `seconds`."""

    name: str
    frames: int
    per_second: int = 10_000
    seconds: int = 5


CASES = [Case("a frame every 10 ms", 100), Case("a frame every 50 ms", 20)]


def open_page(browser: Browser) -> Page:
    """A blank page whose origin has the repository's files."""
    page = browser.new_page()

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN)
        if path == "/":
            route.fulfill(body="<!doctype html>", content_type="text/html")
        else:
            route.fulfill(path=ROOT / path.removeprefix("/"), content_type="text/javascript")

    page.route(f"{ORIGIN}/**", answer)
    page.goto(f"{ORIGIN}/")
    return page


def measure(page: Page, case: Case) -> dict[str, Any]:
    """The figures that `flood.js` describes."""
    options = {"perSecond": case.per_second, "frames": case.frames, "seconds": case.seconds}
    figures: dict[str, Any] = page.evaluate(FLOOD, ["/static/rtm/index.js", options])
    return figures


def main() -> None:
    program = chromium()
    if program is None:
        sys.exit("Missing: chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--headless=new", "--no-sandbox"])
        page = open_page(browser)
        for case in CASES:
            figures = measure(page, case)
            tasks = figures["longTasksMs"]
            print(
                f"{case.name}, {case.per_second:,} messages/s for {case.seconds} s: {figures['received']:,} received, "
                f"{'in order' if figures['inOrder'] else 'OUT OF ORDER'}, the last {figures['behindMs']} ms after the "
                f"last frame; {len(tasks)} tasks over 50 ms{f', the longest {max(tasks)} ms' if tasks else ''}"
            )
        browser.close()


if __name__ == "__main__":
    main()
