"""A private Ceph for tests: a server of S3's protocol that looks at signatures, times and policies as Amazon's does.

One monitor, one OSD that keeps everything in memory, and as many gateways to them (radosgw) as are wanted:

    with PrivateCeph() as ceph, PrivateGateway(ceph) as gateway:
        use(gateway.url, ceph.create_user("somebody"))
        gateway.kill()          # as a crash does; start() brings it back, and what was stored is still there

No manager, no systemd, no root: what is left out is for operating a real one.
"""

import base64
import contextlib
import secrets
import signal
import socket
import struct
import subprocess
import time
import urllib.request
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from scripts.services import READY_WITHIN_S, PrivateServer

DOMAIN: Final = "s3.test"
"""Of a gateway's host names: `<bucket>.s3.test` is a bucket's."""

SETTINGS = """\
[global]
fsid = {fsid}
mon_host = [{address}]
mon_initial_members = a
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_ipv6 = false
keyring = {directory}/keyring
run_dir = {directory}
crash_dir = {directory}
admin_socket =
pid_file =
log_file =
mon_cluster_log_file =
log_to_stderr = true
debug_rocksdb = 0
# One copy of everything.
mon_allow_pool_size_one = true
osd_pool_default_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
# Commits at once, and what is not answered is asked again soon: not after seconds.
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
objecter_tick_interval = 0.5

[mon.a]
mon_data = {directory}/mon

[osd.0]
osd_objectstore = memstore
memstore_device_bytes = 1073741824

[client.rgw]
rgw_dns_name = {domain}
rgw_thread_pool_size = 16
# A gateway tells the others of what they may have cached, and would wait for those that were killed.
rgw_cache_enabled = false
rgw_override_bucket_index_max_shards = 1
"""

KEYRING = """\
[mon.]
    key = {mon}
    caps mon = "allow *"
[client.admin]
    key = {admin}
    caps mon = "allow *"
    caps osd = "allow *"
[osd.0]
    key = {osd}
    caps mon = "allow profile osd"
    caps osd = "allow *"
[client.rgw]
    key = {rgw}
    caps mon = "allow rw"
    caps osd = "allow rwx"
"""


@dataclass(frozen=True, slots=True)
class Keys:
    """What a user of S3 signs with."""

    access_key: str
    secret_key: str


class _Daemon(PrivateServer):
    """One of Ceph's servers. `settings`: where the file of that name is, with the keys beside it."""

    stop_signal = signal.SIGTERM

    def __init__(self, settings: Path | None = None) -> None:
        super().__init__()
        self.settings = settings or self.directory / "ceph.conf"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def tool(self, program: str, *arguments: str) -> None:
        """Runs one of Ceph's programs that ends by itself. Raises RuntimeError."""
        command = [program, "--conf", str(self.settings), *arguments]
        try:
            subprocess.run(command, cwd=self.directory, capture_output=True, check=True, timeout=READY_WITHIN_S)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            said = (error.stderr or b"").decode(errors="replace")[-2000:]
            raise RuntimeError(f"{error}\n{said}") from error


class _Monitor(_Daemon):
    """It knows who belongs to the cluster."""

    name = "ceph-mon"

    def _prepare(self) -> None:
        address, fsid = f"v2:127.0.0.1:{self.port}", str(uuid.uuid4())
        keyring, members = self.directory / "keyring", str(self.directory / "members")
        keyring.touch(0o600)
        keyring.write_text(KEYRING.format(mon=_key(), admin=_key(), osd=_key(), rgw=_key()))
        self.settings.write_text(SETTINGS.format(directory=self.directory, address=address, fsid=fsid, domain=DOMAIN))
        self.tool("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[{address}]", members)
        self.tool("ceph-mon", "--mkfs", "-i", "a", "--monmap", members, "--keyring", str(keyring))

    def _command(self) -> list[str]:
        return ["ceph-mon", "-f", "-i", "a", "--conf", str(self.settings)]

    def _probe(self) -> None:
        socket.create_connection(("127.0.0.1", self.port), 5).close()


class _Osd(_Daemon):
    """It has the bytes, in its memory."""

    name = "ceph-osd"

    def _prepare(self) -> None:
        identity = str(uuid.uuid4())
        self.tool("ceph", "--connect-timeout", "30", "osd", "new", identity, "0")
        self.tool("ceph-osd", "--mkfs", "-i", "0", "--osd-uuid", identity, "--osd-data", str(self.directory))

    def _command(self) -> list[str]:
        return ["ceph-osd", "-f", "-i", "0", "--conf", str(self.settings), "--osd-data", str(self.directory)]

    def _probe(self) -> None:
        """It finds ports of its own; who needs it waits for it."""


class PrivateCeph:
    """A cluster without a gateway. It is started once: when it stops, nothing of it is left."""

    def __init__(self) -> None:
        self._monitor = _Monitor()

    @property
    def settings(self) -> Path:
        """The file that leads Ceph's programs to it."""
        return self._monitor.settings

    @property
    def pids(self) -> tuple[int, int]:
        """The process ids of the monitor and the OSD."""
        return self._monitor.pid, self._osd.pid

    def create_user(self, name: str) -> Keys:
        """A user of S3, who has no bucket yet."""
        keys = Keys(secrets.token_hex(10), secrets.token_hex(20))
        self._admin(
            *("user", "create", "--uid", name, "--display-name", name),
            *("--access-key", keys.access_key, "--secret-key", keys.secret_key),
        )
        return keys

    def process_lifecycles(self) -> None:
        """Does what the lifecycles of buckets say, and takes a second for a day."""
        self._admin("lc", "process", "--rgw-lc-debug-interval", "1")

    def _admin(self, *arguments: str) -> None:
        self._monitor.tool("radosgw-admin", "--name", "client.rgw", *arguments)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._monitor)
            self._osd = stack.enter_context(_Osd(self.settings))
            self._servers = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._servers.close()


class PrivateGateway(_Daemon):
    """radosgw, on a port of its own. Several of one cluster give the same."""

    name = "radosgw"

    def __init__(self, ceph: PrivateCeph) -> None:
        super().__init__(ceph.settings)

    def _prepare(self) -> None:
        """All that it needs is in the cluster."""

    def _command(self) -> list[str]:
        frontend = f"beast endpoint=127.0.0.1:{self.port}"
        return ["radosgw", "-f", "--conf", str(self.settings), "--name", "client.rgw", "--rgw-frontends", frontend]

    def _probe(self) -> None:
        urllib.request.urlopen(self.url, timeout=5).close()


def _key() -> str:
    """A secret of Ceph's own kind: AES, made now."""
    return base64.b64encode(struct.pack("<hiih", 1, int(time.time()), 0, 16) + secrets.token_bytes(16)).decode()
