"""A private Ceph ends with whoever started it, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from scripts.ceph import PrivateCeph, PrivateGateway
from scripts.system import radosgw
from tests.scripts.test_services import wait_until

pytestmark = [
    pytest.mark.shapeless,
    pytest.mark.skipif(radosgw() is None, reason="Ceph is not installed: python -m scripts.system ceph"),
]

OWNER = """
import sys, time
from scripts.ceph import PrivateCeph
with PrivateCeph() as ceph:
    print(*ceph.pids, ceph.settings.parent, flush=True)
    time.sleep(60)
"""


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_ends_in_order() -> None:
    with PrivateCeph() as ceph, PrivateGateway(ceph) as gateway:
        pids, folders = [*ceph.pids, gateway.pid], [ceph.settings.parent, gateway.directory]
        assert all(is_there(pid) for pid in pids)
    assert [pid for pid in pids if is_there(pid)] == []
    assert [folder for folder in folders if folder.exists()] == []


def test_it_ends_with_a_killed_owner() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        *pids, folder = owner.stdout.readline().split()
        assert all(is_there(int(pid)) for pid in pids)
        owner.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(is_there(int(pid)) for pid in pids) and not Path(folder).exists())
