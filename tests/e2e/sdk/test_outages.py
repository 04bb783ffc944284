"""Networks that are cut or lose packets: what the SDK's users see of it, and that no message is lost, doubled or moved.

One crowd goes through all of it at once, each client on a link of its own to one server; its parts are then looked at
one by one. Chromium and the server are in network namespaces (`tests.support.lossy_network`).
"""

import stat
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from projects.demo import DEMO_APP_ID
from tests.e2e.conftest import ARGUMENTS, CHROMIUM
from tests.e2e.sdk.crowd import Crowd, check_ledger, context_of
from tests.e2e.server import ServerProcess
from tests.support.lossy_network import CLEAR, CUT, LossyNetwork, Weather, inside, why_not

BAD, WORSE = Weather(loss=0.3, delay_s=0.02, jitter_s=0.02, doubled=0.02), Weather(loss=0.5, delay_s=0.02)
COURSES = {
    "steady": [(0.0, CLEAR)],
    "two": [(0.0, CUT), (2.0, CLEAR)],
    "twenty": [(0.0, CUT), (20.0, CLEAR)],
    "forty": [(0.0, CUT), (40.0, CLEAR)],
    "bad": [(0.0, BAD), (40.0, CLEAR)],
    "worse": [(0.0, WORSE), (40.0, CLEAR)],
}
"""Each client is named for what its link goes through."""
FILE_BYTES = 12 * 1024 * 1024


@pytest.fixture(scope="module")
def network() -> Iterator[LossyNetwork]:
    if reason := why_not():
        pytest.skip(reason)
    with LossyNetwork(len(COURSES)) as network:
        yield network


@pytest.fixture(scope="module")
def server(network: LossyNetwork, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    hosts = [network.server_address(link) for link in range(len(COURSES))]
    with ServerProcess(tmp_path_factory.mktemp("server"), namespace=network.servers, hosts=hosts) as server:
        yield server


@pytest.fixture(scope="module")
def far_chromium(
    chromium: Browser, network: LossyNetwork, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    """A browser on the clients' side of the network."""
    program = tmp_path_factory.mktemp("chromium") / "chromium"
    program.write_text(f'#!/bin/sh\nexec {" ".join(inside(network.clients, CHROMIUM))} "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    browser = chromium.browser_type.launch(executable_path=program, args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def crowd(network: LossyNetwork, server: ServerProcess, far_chromium: Browser) -> Iterator[Crowd]:
    """Everybody's links have gone through their courses, and all have finished talking."""
    crowd = Crowd(context_of(far_chromium), DEMO_APP_ID)
    for link, uid in enumerate(COURSES):
        crowd.enter(uid, crowd.open(f"http://{network.server_address(link)}:{server.port}"))
    crowd.on("steady", "return member.client.subscribePeersOnlineStatus(given)", "two", "twenty", "forty")
    crowd.on("forty", "return member.client.setLocalUserAttributes({ role: 'teacher' })")
    crowd.on("forty", "return member.client.subscribePeersOnlineStatus(['steady', 'late'])")
    crowd.talk()
    crowd.hear()
    crowd.on("twenty", "member.called().then((invitation) => invitation.accept())")
    assert crowd.on("two", "return member.upload(given[0])", FILE_BYTES), "it is on its way"
    for link, course in enumerate(COURSES.values()):
        network.forecast(link, *course)
    crowd.on("steady", "member.invitation('twenty').send()")
    print("packets by link:", dict(zip(COURSES, network.wait(), strict=True)))
    crowd.finish()
    yield crowd
    assert crowd.troubles == []
    crowd.context.close()


def test_nothing_acknowledged_is_lost_or_doubled_and_the_order_is_kept(crowd: Crowd, server: ServerProcess) -> None:
    check_ledger(crowd, server)


def test_a_cut_of_two_seconds_shows_no_change_of_state(crowd: Crowd) -> None:
    assert crowd.course("two") == []
    assert crowd.course("steady") == []
    assert states_of(crowd, "two") == ["ONLINE"]


def test_an_upload_goes_on_after_a_cut(crowd: Crowd) -> None:
    assert crowd.on("two", "return member.uploaded") == FILE_BYTES


def test_after_twenty_seconds_the_session_goes_on_and_nobody_saw_a_member_leave(crowd: Crowd) -> None:
    assert crowd.course("twenty") == ["RECONNECTING/INTERRUPTED", "CONNECTED/LOGIN_SUCCESS"]
    assert states_of(crowd, "twenty") == ["ONLINE", "UNREACHABLE", "ONLINE"]
    assert not {"two", "twenty"} & set(crowd.told("steady", "MemberLeft"))
    assert crowd.told("steady", "MemberJoined").count("twenty") == 1


def test_a_call_waits_for_who_is_cut_off(crowd: Crowd) -> None:
    for event in ("LocalInvitationReceivedByPeer", "LocalInvitationAccepted"):
        assert len(crowd.told("steady", event)) == 1
    assert len(crowd.told("twenty", "RemoteInvitationAccepted")) == 1


def test_after_forty_seconds_the_member_has_left_and_comes_back_by_itself(crowd: Crowd) -> None:
    assert crowd.course("forty") == ["RECONNECTING/INTERRUPTED", "CONNECTED/LOGIN_SUCCESS"]
    assert states_of(crowd, "forty") == ["ONLINE", "UNREACHABLE", "OFFLINE", "ONLINE"]
    assert crowd.told("steady", "MemberLeft").count("forty") == 1
    assert crowd.told("steady", "MemberJoined").count("forty") == 2


def test_attributes_and_subscriptions_of_who_was_removed_are_restored(crowd: Crowd) -> None:
    assert crowd.on("steady", "return member.client.getUserAttributes('forty')") == {"role": "teacher"}
    watched = crowd.on("forty", "return member.client.queryPeersBySubscriptionOption('ONLINE_STATUS')")
    assert sorted(watched) == ["late", "steady"]
    crowd.enter("late", crowd.pages["steady"])
    crowd.on(
        "forty",
        "return member.until(() => member.all('PeersOnlineStatusChanged').some(([s]) => s.late === 'ONLINE'), 'late')"
        ".then(() => null)",
    )


def test_a_lossy_network_is_come_through(crowd: Crowd) -> None:
    for uid in ("bad", "worse"):
        course = crowd.course(uid)
        assert course[0::2] == ["RECONNECTING/INTERRUPTED"] * len(course[0::2])
        assert course[1::2] == ["CONNECTED/LOGIN_SUCCESS"] * len(course[0::2]), "and is connected in the end"


def states_of(crowd: Crowd, uid: str) -> list[str]:
    """The online states that `steady` was told of."""
    told = crowd.told("steady", "PeersOnlineStatusChanged")
    return [states[uid] for states in told if uid in states]
