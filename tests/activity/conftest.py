"""Imports of the product are inside the fixtures: a conftest is read before Django is set up."""

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.clock import Lifetime
    from tests.support.name_server import NameServer
    from tests.support.receiver import Receiver


@pytest.fixture(autouse=True)
def _only_webhooks_of_this_test(_database: None) -> None:
    from activity.models import OpenRoom, Webhook

    Webhook.objects.all().delete()
    OpenRoom.objects.all().delete()


@pytest.fixture
async def lifetime() -> "AsyncIterator[Lifetime]":
    """A runtime whose time the test moves."""
    from tests.support.clock import clocked_runtimes

    async with clocked_runtimes() as lifetime:
        yield lifetime


@pytest.fixture
async def two_places() -> "AsyncIterator[Lifetime]":
    """Two runtimes whose time the test moves."""
    from tests.support.clock import clocked_runtimes

    async with clocked_runtimes(2) as lifetime:
        yield lifetime


@pytest.fixture
def receiver() -> "Iterator[Receiver]":
    from tests.support.receiver import receiving

    with receiving() as receiver:
        yield receiver


@pytest.fixture
def name_server() -> "Iterator[NameServer]":
    from tests.support.name_server import NameServer

    server = NameServer()
    yield server
    server.release()
