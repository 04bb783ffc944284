"""Chaos: real processes on servers of these tests' own, which they restart and kill.

`CHAOS_SEED` repeats a run's choices; without it each run makes others, and says its seed.
"""

import os
import random
from collections.abc import Iterator

import pytest

from tests.support.services import PrivatePostgres


@pytest.fixture
def seed() -> int:
    chosen = int(os.environ.get("CHAOS_SEED") or random.randrange(1 << 32))
    print(f"CHAOS_SEED={chosen}")
    return chosen


@pytest.fixture(scope="session")
def postgres(shape: str) -> Iterator[PrivatePostgres]:
    """One for all tests here, which each use a project of their own."""
    if shape != "cluster":
        pytest.skip("about several processes")
    with PrivatePostgres() as server:
        yield server
