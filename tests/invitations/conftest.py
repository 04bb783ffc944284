"""Imports of the product are inside the fixtures: a conftest is read before Django is set up."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.clock import Lifetime


@pytest.fixture(autouse=True)
def _deadlines_when_the_test_says(_database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("invitations.deadlines.CLOCK_S", 3600.0)
    monkeypatch.setattr("invitations.deadlines.PARTIES_S", 3600.0)


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
