"""The examples of docs/sdk.md, as a test runs them.

A fenced block of JavaScript is an example. What it takes as given stands in a comment above it, which readers do not
see: `<!-- given: client bob -->`, and `<!-- in: worker -->` or `<!-- in: node -->` where it does not run in a page.
What stands behind a `console.log`, after `//`, is what that line prints: "..." is anything, ", then " parts several
times.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings

TEXT: Final = (Path(settings.BASE_DIR) / "docs" / "sdk.md").read_text()
BLOCK: Final = re.compile(r"((?:^<!-- .*? -->\n)*)^```js\n(.*?)^```", re.MULTILINE | re.DOTALL)
PRINTS: Final = re.compile(r"^(.*)console\.log\((.*) // (.*)$")
HOST: Final = "https://rtm.example"
APP_ID: Final = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True)
class Example:
    line: int
    """Of the document."""
    text: str
    place: str
    """`page`, `worker` or `node`."""
    given: tuple[str, ...]

    @property
    def expected(self) -> dict[str, str]:
        """What its lines print, by number."""
        lines = enumerate(self.text.splitlines())
        return {str(number): found[3] for number, line in lines if (found := PRINTS.match(line)) is not None}

    def source(self, url: str, app: str) -> str:
        """With this server and project, and `print(line, ...)` for `console.log(...)`."""
        lines = enumerate(self.text.splitlines())
        source = "\n".join(PRINTS.sub(rf"\1print({number}, \2", line) for number, line in lines)
        return source.replace(HOST, url).replace(APP_ID, app)


def in_page(text: str, url: str, app: str) -> tuple[str, list[str]]:
    """A whole page that keeps what it prints in `printed`, and what that is to be."""
    lines = [PRINTS.match(line) for line in text.splitlines()]
    body = text.replace(HOST, url).replace(APP_ID, app).replace("console.log(", "(globalThis.printed ??= []).push(")
    return body, [line[3] for line in lines if line is not None]


def _example(found: re.Match[str]) -> Example:
    notes = dict(re.findall(r"<!-- (given|in): (.*?) -->", found[1]))
    line = TEXT.count("\n", 0, found.start(2)) + 1
    return Example(line, found[2], notes.get("in", "page"), tuple(notes.get("given", "").split()))


EXAMPLES: Final = tuple(_example(found) for found in BLOCK.finditer(TEXT))
PAGES: Final = tuple(re.findall(r"^```html\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))
