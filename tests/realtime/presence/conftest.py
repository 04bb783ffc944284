"""The suite runs on both presence stores."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.realtime.presence.harness import Harness, MemoryHarness, RedisHarness
from tests.support.services import PrivateRedis


@pytest.fixture(scope="session")
def presence_redis() -> Iterator[PrivateRedis]:
    with PrivateRedis() as server:
        yield server


@pytest.fixture(params=["memory", "redis"])
async def presence(request: pytest.FixtureRequest) -> AsyncIterator[Harness]:
    harness: Harness = MemoryHarness()
    if request.param == "redis":
        harness = RedisHarness(request.getfixturevalue("presence_redis"))
    yield harness
    await harness.close()
