"""The two storages: a folder of the test's own, and a bucket of the test's own on moto's server."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from messaging.media.local import LocalMediaStorage
    from messaging.media.storage import MediaStorage
    from tests.support.client import Client


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of a server of S3's protocol."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def local_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "LocalMediaStorage":
    """The one of the settings, for the test."""
    from tests.support.media import local_at, use_storage

    storage = local_at(tmp_path / "media")
    use_storage(monkeypatch, storage)
    return storage


@pytest.fixture(params=["local", "s3"])
def storage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> "MediaStorage":
    """Each of both, as the one of the settings."""
    from tests.support.media import s3_at, use_storage

    if request.param == "local":
        local: MediaStorage = request.getfixturevalue("local_storage")
        return local
    bucket = f"bucket-{secrets.token_hex(4)}"
    storage = s3_at(request.getfixturevalue("s3_server"), bucket)
    storage.connection.create_bucket(Bucket=bucket)
    use_storage(monkeypatch, storage)
    return storage


@pytest.fixture
async def ann(open_client: "Callable[..., Client]", fast_app: str) -> "Client":
    """A user who is logged in."""
    client = open_client()
    await client.login(fast_app, "ann")
    return client
