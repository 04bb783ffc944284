"""Imports of the product are inside the fixtures: a conftest is read before Django is set up."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from tests.rooms.conftest import enter, lifetime, two_places

if TYPE_CHECKING:
    from tests.peers.post import Post

__all__ = ["enter", "lifetime", "post", "two_places"]


@pytest.fixture(params=[0, 1], ids=["same process", "other process"])
async def post(app: str, request: pytest.FixtureRequest) -> "AsyncIterator[Post]":
    """Two processes whose time the test moves; peers are at the first and this one."""
    from tests.peers.post import Post
    from tests.support.clock import clocked_runtimes

    async with clocked_runtimes(2) as lifetime:
        yield Post(lifetime, app, request.param)
