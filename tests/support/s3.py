"""A server of S3's protocol for the tests: Ceph's radosgw where it is installed, else moto's."""

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from messaging.media.s3 import S3MediaStorage
from scripts.ceph import Keys, PrivateCeph, PrivateGateway
from scripts.system import NEEDS, radosgw

PREFIX = "some/prefix"
NOBODY = Keys("nobody", "nobody")


@dataclass(frozen=True, slots=True)
class S3Server:
    """`ceph`: the cluster behind it, where it is a real one."""

    url: str
    keys: Keys
    ceph: PrivateCeph | None = None

    def new_bucket(self) -> S3MediaStorage:
        """A storage in a bucket of its own."""
        storage = s3_at(self.url, f"bucket-{secrets.token_hex(4)}", self.keys)
        storage.connection.create_bucket(Bucket=storage.bucket_name)
        return storage


def s3_at(address: str, bucket: str, keys: Keys = NOBODY, prefix: str = PREFIX) -> S3MediaStorage:
    return S3MediaStorage(
        bucket_name=bucket,
        endpoint_url=address,
        region_name="us-east-1",
        access_key=keys.access_key,
        secret_key=keys.secret_key,
        location=prefix,
        path_style=True,
    )


def which_s3() -> str:
    """In one line."""
    if radosgw() is not None:
        return "S3: radosgw, of Ceph"
    packages = " ".join(NEEDS["ceph"].packages)
    return f"S3: moto's server, and no tests of signatures (missing: {packages})"


@contextlib.contextmanager
def s3_server() -> Iterator[S3Server]:
    """Starts the one that there is."""
    if radosgw() is None:
        from moto.server import ThreadedMotoServer

        moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        moto.start()
        try:
            host, port = moto.get_host_and_port()
            yield S3Server(f"http://{host}:{port}", NOBODY)
        finally:
            moto.stop()
        return
    with PrivateCeph() as ceph, PrivateGateway(ceph) as gateway:
        yield S3Server(gateway.url, ceph.create_user("rostrum"), ceph)
