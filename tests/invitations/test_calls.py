"""Invitations as clients make and answer them, on a clock that the test moves (docs/contract.md 8)."""

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from invitations.deadlines import Deadlines
from projects.models import Project
from realtime.presence import PresenceUnavailable
from realtime.runtime import Runtime
from tests.support.client import CallFailed, Client
from tests.support.clock import Lifetime
from tests.support.invitations import inbox, require_fitting


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()


async def enter(lifetime: Lifetime, project: Project, *uids: str, place: int = 0) -> list[Client]:
    return [await lifetime.enter(project.app_id, uid, place=place) for uid in uids]


async def invite(client: Client, invitation: str = "i1", **changed: Any) -> Any:
    return await client.call("invitation.send", **{"invitation": invitation, "peer": "bob", **changed})


async def answer(client: Client, verb: str, invitation: str = "i1", **params: Any) -> Any:
    return await client.call(f"invitation.{verb}", invitation=invitation, caller="ann", **params)


async def ended(client: Client, method: str, **params: Any) -> tuple[str, str]:
    """What the refusal of an act after the end tells: the state and this side's reason."""
    with pytest.raises(CallFailed) as refused:
        await client.call(method, invitation="i1", **params)
    assert refused.value.name == "invitation_ended"
    assert refused.value.data["retryable"] is False
    return refused.value.data["state"], refused.value.data["reason"]


async def look(lifetime: Lifetime, place: int = 0) -> None:
    deadlines = lifetime.runtimes[place].part(Deadlines)
    await deadlines.look_at_clock()
    await deadlines.look_at_parties()


@sync_to_async
def told(project: Project) -> list[tuple[str, str, str]]:
    """What each step of ann's invitation of bob was to both: the state, her reason, his reason; they fit."""
    require_fitting(project.pk, "ann", "bob", "i1")
    calling, called = inbox(project.pk, "ann", "i1"), inbox(project.pk, "bob", "i1")
    return [(one.state, one.reason, other.reason) for one, other in zip(calling, called, strict=True)]


SENT = ("SENT", "", "")
RECEIVED = ("RECEIVED", "", "")
CALLEE_GONE = ("FAILED", "PEER_OFFLINE", "PEER_OFFLINE")
CALLER_GONE = ("FAILED", "NOT_LOGGEDIN", "PEER_OFFLINE")
UNHEARD = ("FAILED", "PEER_NO_RESPONSE", "INVITATION_EXPIRE")
UNANSWERED = ("FAILED", "INVITATION_EXPIRE", "INVITATION_EXPIRE")


async def test_a_call_that_is_accepted(two_places: Lifetime, project: Project) -> None:
    (ann,) = await enter(two_places, project, "ann")
    (bob,) = await enter(two_places, project, "bob", place=1)
    now_ms = two_places.clock.now_ms()
    sent = await invite(ann, content="maths?", channel="math")
    assert sent == {"state": "SENT", "reason": "", "step": 1, "ts": now_ms}
    two_places.clock.advance(2)
    assert await answer(bob, "confirm") == {"state": "RECEIVED", "reason": "", "step": 2, "ts": now_ms + 2_000}
    accepted = {"state": "ACCEPTED", "reason": "", "step": 3, "ts": now_ms + 2_000}
    assert await answer(bob, "accept", response="yes") == accepted
    assert await answer(bob, "accept", response="twice") == accepted
    assert await told(project) == [SENT, RECEIVED, ("ACCEPTED", "", "")]
    assert await ended(ann, "invitation.cancel") == ("ACCEPTED", "")


async def test_a_call_that_is_refused_and_one_that_is_cancelled(lifetime: Lifetime, project: Project) -> None:
    ann, bob = await enter(lifetime, project, "ann", "bob")
    await invite(ann)
    assert (await answer(bob, "refuse", response="no"))["state"] == "REFUSED"
    assert await ended(bob, "invitation.accept", caller="ann") == ("REFUSED", "")
    await invite(ann, "i2")
    assert (await ann.call("invitation.cancel", invitation="i2"))["state"] == "CANCELED"
    with pytest.raises(CallFailed) as refused:
        await answer(bob, "accept", "i2")
    assert refused.value.data["state"] == "CANCELED"


async def test_a_peer_without_a_session_is_offline_at_once(lifetime: Lifetime, project: Project) -> None:
    (ann,) = await enter(lifetime, project, "ann")
    failed = await invite(ann)
    assert (failed["state"], failed["reason"], failed["step"]) == ("FAILED", "PEER_OFFLINE", 1)
    assert await invite(ann) == failed
    (bob,) = await enter(lifetime, project, "bob")
    assert await ended(bob, "invitation.accept", caller="ann") == ("FAILED", "")


async def test_a_peer_that_does_not_confirm_in_30_s(lifetime: Lifetime, project: Project) -> None:
    ann, bob = await enter(lifetime, project, "ann", "bob")
    await invite(ann)
    await lifetime.pass_time(29.999, ann, bob)
    await look(lifetime)
    assert await told(project) == [SENT]
    await lifetime.pass_time(0.001, ann, bob)
    await look(lifetime)
    assert await told(project) == [SENT, UNHEARD]
    assert await ended(bob, "invitation.confirm", caller="ann") == ("FAILED", "INVITATION_EXPIRE")


async def test_a_peer_that_does_not_answer_in_60_s(lifetime: Lifetime, project: Project) -> None:
    ann, bob = await enter(lifetime, project, "ann", "bob")
    await invite(ann)
    await lifetime.pass_time(20, ann, bob)
    await answer(bob, "confirm")
    await lifetime.pass_time(39.999, ann, bob)
    await look(lifetime)
    assert await told(project) == [SENT, RECEIVED]
    await lifetime.pass_time(0.001, ann, bob)
    await look(lifetime)
    assert await told(project) == [SENT, RECEIVED, UNANSWERED]
    await look(lifetime)
    assert len(await told(project)) == 3


async def test_an_answer_at_60_s_is_too_late_whoever_has_looked(lifetime: Lifetime, project: Project) -> None:
    ann, bob = await enter(lifetime, project, "ann", "bob")
    await invite(ann)
    await answer(bob, "confirm")
    await lifetime.pass_time(60, ann, bob)
    assert await ended(bob, "invitation.accept", caller="ann") == ("FAILED", "INVITATION_EXPIRE")
    assert await told(project) == [SENT, RECEIVED, UNANSWERED]


async def test_it_survives_the_reconnects_of_both(two_places: Lifetime, project: Project) -> None:
    """Each comes back to the other process, within 30 s."""
    ann, bob = two_places.open_client(0), two_places.open_client(1)
    sessions = {"ann": (await ann.login(project.app_id, "ann"))["session"]}
    sessions["bob"] = (await bob.login(project.app_id, "bob"))["session"]
    await invite(ann)
    await answer(bob, "confirm")
    for client in (ann, bob):
        await client.close()
    await two_places.pass_time(25)
    await look(two_places)
    ann, bob = two_places.open_client(1), two_places.open_client(0)
    assert (await ann.login(project.app_id, "ann", session=sessions["ann"]))["resumed"]
    assert (await bob.login(project.app_id, "bob", session=sessions["bob"]))["resumed"]
    await look(two_places, 1)
    (listed,) = (await bob.call("invitation.list"))["invitations"]
    assert (listed["invitation"], listed["caller"], listed["state"], listed["step"]) == ("i1", "ann", "RECEIVED", 2)
    assert (await answer(bob, "accept"))["state"] == "ACCEPTED"
    assert (await ann.call("invitation.list")) == {"invitations": [], "more": False}
    assert await told(project) == [SENT, RECEIVED, ("ACCEPTED", "", "")]


@pytest.mark.parametrize(("uid", "end"), [("bob", CALLEE_GONE), ("ann", CALLER_GONE)])
async def test_a_party_that_logs_out_ends_it(lifetime: Lifetime, project: Project, uid: str, end: Any) -> None:
    people = dict(zip(("ann", "bob"), await enter(lifetime, project, "ann", "bob"), strict=True))
    await invite(people["ann"])
    await people[uid].call("session.logout")
    await lifetime.settle()
    assert await told(project) == [SENT, end]


@pytest.mark.parametrize(("uid", "end"), [("bob", CALLEE_GONE), ("ann", CALLER_GONE)])
async def test_a_party_that_logs_in_elsewhere_ends_it(
    two_places: Lifetime, project: Project, uid: str, end: Any
) -> None:
    (ann, _) = await enter(two_places, project, "ann", "bob")
    await invite(ann)
    two_places.clock.advance(1)
    (again,) = await enter(two_places, project, uid, place=1)
    await two_places.settle()
    assert await told(project) == [SENT, end]
    if uid == "bob":
        assert await ended(again, "invitation.accept", caller="ann") == ("FAILED", "PEER_OFFLINE")
    else:
        assert (await invite(again, "i2"))["state"] == "SENT"


@pytest.mark.parametrize(("uid", "end"), [("bob", CALLEE_GONE), ("ann", CALLER_GONE)])
async def test_a_party_without_a_connection_for_30_s_ends_it(
    lifetime: Lifetime, project: Project, uid: str, end: Any
) -> None:
    people = dict(zip(("ann", "bob"), await enter(lifetime, project, "ann", "bob"), strict=True))
    await invite(people["ann"])
    await answer(people["bob"], "confirm")
    await people.pop(uid).close()
    (other,) = people.values()
    await lifetime.pass_time(29, other)
    assert await told(project) == [SENT, RECEIVED]
    await lifetime.pass_time(6, other)
    assert await told(project) == [SENT, RECEIVED, end]


@pytest.mark.parametrize("leave", ["session.logout", "login elsewhere"])
async def test_a_lost_hook_loses_nothing(lifetime: Lifetime, project: Project, leave: str) -> None:
    ann, bob = await enter(lifetime, project, "ann", "bob")
    await invite(ann)
    lifetime.runtime.sessions.on_change.clear()
    lifetime.clock.advance(1)
    if leave == "session.logout":
        await bob.call(leave)
    else:
        await enter(lifetime, project, "bob")
    await lifetime.settle()
    assert await told(project) == [SENT]
    await look(lifetime)
    assert await told(project) == [SENT, CALLEE_GONE]


async def test_nobody_is_gone_during_the_grace_of_the_presence_store(lifetime: Lifetime, project: Project) -> None:
    """The store is emptied, and neither is named again: only after the grace are they gone."""
    ann, bob = await enter(lifetime, project, "ann", "bob")
    await invite(ann)
    await answer(bob, "confirm")
    lifetime.empty_store()
    await look(lifetime)
    assert await told(project) == [SENT, RECEIVED]
    await lifetime.pass_time(3, ann, bob)  # named again
    await look(lifetime)
    assert (await answer(bob, "accept"))["state"] == "ACCEPTED"


async def test_who_is_called_during_the_grace_may_only_not_be_named_yet(lifetime: Lifetime, project: Project) -> None:
    ann, bob = await enter(lifetime, project, "ann", "bob")
    lifetime.empty_store()
    assert (await invite(ann))["state"] == "SENT"
    assert (await invite(ann, "i2", peer="eve"))["state"] == "SENT"
    await lifetime.pass_time(3, ann, bob)
    assert (await answer(bob, "confirm"))["state"] == "RECEIVED"
    await look(lifetime)
    assert await told(project) == [SENT, RECEIVED]
    await lifetime.pass_time(31, ann, bob)
    await look(lifetime)
    assert await told(project) == [SENT, RECEIVED], "he is here after it"
    with pytest.raises(CallFailed) as refused:
        await ann.call("invitation.cancel", invitation="i2")
    assert refused.value.data["state"] == "FAILED", "she is not"


async def test_a_killed_process_leaves_its_invitations_to_the_others(two_places: Lifetime, project: Project) -> None:
    """Both parties were its own: their sessions go with its lease, and nobody there tells of it."""
    ann, bob = await enter(two_places, project, "ann", "bob")
    await invite(ann)
    await answer(bob, "confirm")
    dead, alive = two_places.runtimes
    two_places.runtimes = [alive]
    for task in dead._tasks:
        task.cancel()
    await two_places.pass_time(33)
    await look(two_places)
    assert await told(project) == [SENT, RECEIVED], "they may come back yet"
    await two_places.pass_time(4)
    assert (await told(project))[-1] in (CALLEE_GONE, CALLER_GONE)


async def test_after_a_time_without_any_process_the_next_one_ends_what_is_over(
    lifetime: Lifetime, project: Project
) -> None:
    ann, _ = await enter(lifetime, project, "ann", "bob")
    await invite(ann)
    lifetime.clock.advance(3_600)
    await lifetime.runtime.part(Deadlines).look_at_clock()
    assert await told(project) == [SENT, UNHEARD]


async def test_every_process_may_look_and_one_ends_it(two_places: Lifetime, project: Project) -> None:
    ann, bob = await enter(two_places, project, "ann", "bob")
    await invite(ann)
    await two_places.pass_time(30, ann, bob)
    for place in (0, 1, 0):
        await look(two_places, place)
    assert await told(project) == [SENT, UNHEARD]


@pytest.mark.parametrize("peer", ["ann", "\u00a0" * 33, "x" * 65, ""])
async def test_peers_that_nobody_can_be(lifetime: Lifetime, project: Project, peer: str) -> None:
    (ann,) = await enter(lifetime, project, "ann")
    with pytest.raises(CallFailed) as refused:
        await invite(ann, peer=peer)
    assert refused.value.name == "invalid_params"


async def test_presence_out_of_reach_is_said(
    runtime: Runtime, project: Project, open_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = open_client()
    await ann.login(project.app_id, "ann")

    async def out_of_reach(*_: Any) -> Any:
        raise PresenceUnavailable("out of reach")

    with monkeypatch.context() as outage:
        outage.setattr(runtime.presence, "sessions", out_of_reach)
        with pytest.raises(CallFailed) as refused:
            await invite(ann)
    assert (refused.value.name, refused.value.data["retryable"]) == ("unavailable", True)
    assert (await invite(ann))["step"] == 1, "the same id, once"
