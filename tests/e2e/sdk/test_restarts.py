"""The server goes and comes back in the middle of traffic."""

import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from projects.demo import DEMO_APP_ID
from tests.e2e.sdk.crowd import Crowd, check_ledger, context_of
from tests.e2e.server import ServerProcess

FILE_BYTES = 16 * 1024 * 1024
UIDS = [f"member{number}" for number in range(4)]


@pytest.fixture
def crowd(chromium: Browser, own_server: ServerProcess) -> Iterator[Crowd]:
    """Members that talk, two to a page."""
    crowd = Crowd(context_of(chromium), DEMO_APP_ID)
    for first, second in (UIDS[:2], UIDS[2:]):
        page = crowd.open(own_server.url)
        crowd.enter(first, page)
        crowd.enter(second, page)
    for uid in UIDS:
        crowd.on(uid, "return member.client.subscribePeersOnlineStatus(given)", *[one for one in UIDS if one != uid])
    crowd.talk()
    yield crowd
    assert crowd.troubles == []
    crowd.context.close()


def test_a_server_that_is_killed_and_drained_loses_nothing_of_what_it_said(
    crowd: Crowd, own_server: ServerProcess
) -> None:
    """Killed without a word, then drained as by a deployment. Nobody is said to have left: all are back in time. An
    upload that was under way is begun anew."""
    crowd.hear()
    crowd.on(UIDS[0], "return member.upload(given[0])", FILE_BYTES)
    for how in (signal.SIGKILL, signal.SIGTERM):
        own_server.stop(how)
        own_server.start()
        crowd.hear()
        assert crowd.on(UIDS[0], "return member.uploaded") == FILE_BYTES
    crowd.finish()
    check_ledger(crowd, own_server)
    for uid in UIDS:
        assert crowd.told(uid, "MemberLeft") == []
        assert not [states for states in crowd.told(uid, "PeersOnlineStatusChanged") if "OFFLINE" in states.values()]
