"""A page for all scenarios of a module."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from projects.demo import DEMO_APP_ID
from tests.e2e.sdk.stage import Stage, serve_scenarios
from tests.e2e.server import ServerProcess


@pytest.fixture(scope="module")
def stage(chromium: Browser, shared_server: ServerProcess) -> Iterator[Stage]:
    context = chromium.new_context()
    serve_scenarios(context)
    yield Stage(context, shared_server, DEMO_APP_ID)
    context.close()
