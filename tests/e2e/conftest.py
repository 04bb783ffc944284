"""A Chromium for all tests here, a server for all tests that do not stop theirs."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.e2e.people import Person, new_person
from tests.e2e.server import ServerProcess

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

MakePerson = Callable[..., Person]
rooms = count(1)


@pytest.fixture(scope="package")
def chromium(django_db_setup: None) -> Iterator[Browser]:
    """Stopped with the last test of this folder: Django refuses the database while Playwright's loop runs."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def url(shared_server: ServerProcess) -> str:
    return shared_server.url


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """One that the test may stop."""
    with ServerProcess(tmp_path / "server") as server:
        yield server


@pytest.fixture
def room() -> str:
    """A room that no other test uses."""
    return f"room-{next(rooms)}"


@pytest.fixture
def person(chromium: Browser) -> Iterator[MakePerson]:
    """Makes people; at the end nobody's page may have complained."""
    made: list[Person] = []

    def make(name: str, **options: Any) -> Person:
        made.append(new_person(chromium, "http://127.0.0.1:", name, **options))
        return made[-1]

    yield make
    for someone in made:
        someone.context.close()
    assert {someone.name: someone.troubles for someone in made if someone.troubles} == {}
