"""Imports of the product are inside the fixtures: a conftest is read before Django is set up."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from realtime.runtime import Runtime
    from tests.support.client import Client
    from tests.support.clock import Lifetime


@pytest.fixture
def enter(open_client: "Callable[..., Client]") -> "Callable[..., Awaitable[Client]]":
    """Opens a client that is logged in as a uid of an app, with these params, and in these rooms."""

    async def enter_rooms(app: str, uid: str, *rooms: str, at: "Runtime | None" = None, **params: Any) -> "Client":
        client = open_client(at)
        await client.login(app, uid, **params)
        for room in rooms:
            await client.call("room.join", room=room)
        return client

    return enter_rooms


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
