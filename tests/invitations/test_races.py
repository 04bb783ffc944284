"""Of what comes to one invitation at the same moment, the row's lock lets one happen, and the others are told which
(docs/contract.md 8)."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

import pytest
from django.db import connection

from invitations.models import Invitation
from invitations.services import Decision, act_on, end_for_gone, send, time_out
from invitations.transitions import Act, Party, Refusal
from projects.limits import DEFAULT_LIMITS
from projects.models import Project
from tests.support.invitations import inbox, require_fitting

T = TypeVar("T")

ROUNDS = 15
NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
SIZES = DEFAULT_LIMITS.sizes


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()


def at_once(*acts: Callable[[], T]) -> list[T]:
    """Does all at the same moment, each on a connection of its own; their answers in this order."""
    barrier = threading.Barrier(len(acts))

    def run(act: Callable[[], T]) -> T:
        try:
            connection.ensure_connection()
            barrier.wait(10)
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(run, acts))


def sending(project: Project, invitation: str, caller: str = "ann", callee: str = "bob") -> Callable[[], Decision]:
    return partial(
        send,
        project_id=project.pk,
        caller=caller,
        caller_since=1,
        callee=callee,
        callee_since=2,
        invitation=invitation,
        channel="",
        content="",
        sizes=SIZES,
        now=NOW,
    )


def acting(project: Project, invitation: str, act: Act, *, after_s: float = 1) -> Callable[[], Decision]:
    caller = act is Act.CANCEL
    return partial(
        act_on,
        project_id=project.pk,
        caller="ann",
        invitation=invitation,
        act=act,
        uid="ann" if caller else "bob",
        since=1 if caller else 2,
        sizes=SIZES,
        now=NOW + timedelta(seconds=after_s),
    )


def require_one_winner(decisions: Sequence[Decision], project: Project, invitation: str) -> None:
    (winner,) = [decision for decision in decisions if decision.refusal is None]
    assert {decision.invitation.state for decision in decisions} == {winner.invitation.state}
    assert {decision.refusal for decision in decisions if decision is not winner} <= {
        Refusal.ENDED,
        Refusal.REPEATED,
        Refusal.TOO_LATE,
    }
    assert require_fitting(project.pk, "ann", "bob", invitation) == winner.invitation.state
    assert len(inbox(project.pk, "ann", invitation)) == 2


@pytest.mark.parametrize(
    "acts",
    [
        (Act.CANCEL, Act.ACCEPT),
        (Act.CANCEL, Act.REFUSE),
        (Act.CANCEL, Act.ACCEPT, Act.REFUSE, Act.CANCEL),
        (Act.ACCEPT, Act.ACCEPT),
    ],
    ids=lambda acts: " ".join(act.value for act in acts),
)
def test_one_wins_and_the_others_get_its_state(project: Project, acts: Sequence[Act]) -> None:
    for number in range(ROUNDS):
        invitation = f"i{number}"
        sending(project, invitation)()
        decisions = at_once(*(acting(project, invitation, act) for act in acts))
        require_one_winner(decisions, project, invitation)


def test_an_acceptance_and_ends_that_the_server_makes(project: Project) -> None:
    for number in range(ROUNDS):
        invitation = f"i{number}"
        sending(project, invitation)()
        row = Invitation.objects.get(project=project, invitation=invitation)
        gone = partial(end_for_gone, invitation_id=row.pk, since=1, party=Party.CALLER, now=NOW)
        accepted, *ended = at_once(acting(project, invitation, Act.ACCEPT), gone, gone)
        assert isinstance(accepted, Decision)
        state = require_fitting(project.pk, "ann", "bob", invitation)
        assert (state, accepted.refusal is None) in [("ACCEPTED", True), ("FAILED", False)]
        assert sum(map(bool, ended)) == (state == "FAILED")
        assert len(inbox(project.pk, "bob", invitation)) == 2


def test_many_processes_look_at_the_clock_and_one_ends_it(project: Project) -> None:
    for number in range(ROUNDS):
        invitation = f"i{number}"
        sending(project, invitation)()
        row = Invitation.objects.get(project=project, invitation=invitation)
        looks = [partial(time_out, invitation_id=row.pk, now=NOW + timedelta(seconds=30)) for _ in range(3)]
        late = acting(project, invitation, Act.ACCEPT, after_s=30)
        *_, accepted = at_once(*looks, late)
        assert isinstance(accepted, Decision)
        assert accepted.refusal in (Refusal.ENDED, Refusal.TOO_LATE)
        assert require_fitting(project.pk, "ann", "bob", invitation) == "FAILED"
        assert len(inbox(project.pk, "ann", invitation)) == 2


def test_the_same_id_sent_twice_at_once_is_one_invitation(project: Project) -> None:
    for number in range(ROUNDS):
        decisions = at_once(*[sending(project, f"i{number}")] * 3)
        assert sorted(str(decision.refusal) for decision in decisions) == ["None", *["Refusal.REPEATED"] * 2]
        assert [told.state for told in inbox(project.pk, "bob", f"i{number}")] == ["SENT"]


def test_two_who_call_each_other_for_the_first_time_do_not_wait_for_ever(project: Project) -> None:
    """Their inboxes are made then, and each entry goes to both."""
    for number in range(ROUNDS):
        ann, bob = f"ann{number}", f"bob{number}"
        first, second = at_once(sending(project, "a", ann, bob), sending(project, "b", bob, ann))
        assert (first.refusal, second.refusal) == (None, None)
        assert {told.body["invitation"] for told in inbox(project.pk, ann)} == {"a", "b"}
        assert {told.body["invitation"] for told in inbox(project.pk, bob)} == {"a", "b"}
