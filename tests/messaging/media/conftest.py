"""The two storages: a folder of the test's own, and a bucket of the test's own in S3."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from messaging.media.local import LocalMediaStorage
    from messaging.media.s3 import S3MediaStorage
    from messaging.media.storage import MediaStorage
    from scripts.ceph import PrivateCeph
    from tests.support.client import Client
    from tests.support.s3 import S3Server


@pytest.fixture(scope="session")
def s3() -> "Iterator[S3Server]":
    """A server of S3's protocol."""
    from tests.support.s3 import s3_server

    with s3_server() as server:
        yield server


@pytest.fixture(scope="session")
def ceph(s3: "S3Server") -> "PrivateCeph":
    """The cluster behind it, for what only a real server does."""
    if s3.ceph is None:
        pytest.skip("moto's server looks at no signature and no policy: this needs radosgw")
    return s3.ceph


@pytest.fixture
def s3_storage(s3: "S3Server", monkeypatch: pytest.MonkeyPatch) -> "S3MediaStorage":
    """The one of the settings, for the test."""
    from tests.support.media import use_storage

    storage = s3.new_bucket()
    use_storage(monkeypatch, storage)
    return storage


@pytest.fixture
def local_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "LocalMediaStorage":
    """The one of the settings, for the test."""
    from tests.support.media import local_at, use_storage

    storage = local_at(tmp_path / "media")
    use_storage(monkeypatch, storage)
    return storage


@pytest.fixture(params=["local", "s3"])
def storage(request: pytest.FixtureRequest) -> "MediaStorage":
    """Each of both, as the one of the settings."""
    found: MediaStorage = request.getfixturevalue(f"{request.param}_storage")
    return found


@pytest.fixture
async def ann(open_client: "Callable[..., Client]", fast_app: str) -> "Client":
    """A user who is logged in."""
    client = open_client()
    await client.login(fast_app, "ann")
    return client
