"""However the acts of both sides, the clock, ends of sessions, repeats and killed transactions interleave: caller and
callee are told the same, and end in states that fit each other (docs/contract.md 8)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, ClassVar
from unittest import mock

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from invitations import services
from invitations.models import Invitation
from invitations.selectors import call_history, due_invitations, open_invitations
from invitations.services import Decision, act_on, end_for_gone, send, time_out
from invitations.transitions import Act, InvitationState, Party, Refusal
from messaging.models import Entry, Stream
from messaging.services import append_entry
from projects.limits import DEFAULT_LIMITS
from projects.models import Project
from tests.support.invitations import OPEN, inbox, require_fitting

UIDS = ("ann", "bob")
SIZES = DEFAULT_LIMITS.sizes
START = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)

_run = count(1)
sides = st.sampled_from(UIDS)
places = st.integers(0, 3)
answers = st.sampled_from([Act.CONFIRM, Act.CONFIRM, Act.ACCEPT, Act.REFUSE, Act.CANCEL])
seconds = st.sampled_from([0.001, 1, 10, 29.999, 30, 31, 60])


class Killed(Exception):
    """The process dies in the middle of a transaction."""


class InvitationMachine(RuleBasedStateMachine):
    """Ann and Bob invite each other, several times over. `sessions`: when the current one of each began."""

    project: ClassVar[Project]

    def __init__(self) -> None:
        super().__init__()
        run = next(_run)
        self.uids = {uid: f"{uid}-{run}" for uid in UIDS}
        self.sessions = dict.fromkeys(UIDS, 1)
        self.since = count(2)
        self.now = START
        self.sent: list[tuple[str, str]] = []
        """Who called, with which id."""
        self.ends: dict[str, list[str]] = {}
        """What each act that ended an invitation was told that it came to."""
        self.kill_at = 0

    def peer(self, uid: str) -> str:
        return UIDS[1 - UIDS.index(uid)]

    def chosen(self, place: int) -> tuple[str, str]:
        return self.sent[-1 - place % len(self.sent)]

    def do(self, act: Callable[[], Any]) -> Any:
        """Does it; when the process is to be killed on the way, nothing has happened, and it is not done again."""
        if not self.kill_at:
            return act()
        left, self.kill_at = self.kill_at, 0
        before = self.all_there_is()

        def dying(**entry: Any) -> int:
            nonlocal left
            left -= 1
            seq = append_entry(**entry) if left else 0
            if not left:
                raise Killed
            return seq

        with mock.patch.object(services, "append_entry", dying):
            try:
                return act()
            except Killed:
                assert self.all_there_is() == before
                return None

    def all_there_is(self) -> tuple[list[Any], list[Any], list[Any]]:
        mine = {f"inbox:{uid}" for uid in self.uids.values()}
        streams = Stream.objects.filter(project=self.project, name__in=mine, head__gt=0).order_by("id")
        entries = Entry.objects.filter(stream__in=streams).order_by("stream_id", "seq")
        rows = Invitation.objects.filter(project=self.project, caller__in=self.uids.values()).order_by("id")
        return list(rows.values()), list(entries.values()), list(streams.values("name", "head"))

    def note(self, invitation: str, decision: Decision | None) -> Decision | None:
        """One act at most may be told that it was the one that ended it."""
        if decision is not None and decision.refusal is None and decision.invitation.state not in OPEN:
            self.ends.setdefault(invitation, []).append(decision.invitation.state)
        return decision

    # -- what may happen ---------------------------------------------------------------------------------

    @rule(at=st.integers(1, 2))
    def kill_in_the_next_transaction(self, at: int) -> None:
        self.kill_at = at

    @rule(caller=sides, online=st.booleans())
    def send(self, caller: str, online: bool) -> None:
        self.sent.append((caller, f"i{len(self.sent)}"))
        decision = self._send(*self.sent[-1], online=online)
        if decision is None:
            self.sent.pop()
            return
        assert decision.invitation.state == ("SENT" if online else "FAILED")

    @precondition(lambda self: self.sent)
    @rule(place=places, online=st.booleans())
    def send_again(self, place: int, online: bool) -> None:
        caller, invitation = self.chosen(place)
        self.kill_at = 0
        decision = self._send(caller, invitation, online=online)
        assert decision is not None
        assert decision.refusal is Refusal.REPEATED
        assert decision.invitation.step == len(inbox(self.project.pk, self.uids[caller], invitation))

    def _send(self, caller: str, invitation: str, *, online: bool) -> Decision | None:
        peer = self.peer(caller)
        found: Decision | None = self.do(
            lambda: send(
                project_id=self.project.pk,
                caller=self.uids[caller],
                caller_since=self.sessions[caller],
                callee=self.uids[peer],
                callee_since=self.sessions[peer] if online else None,
                invitation=invitation,
                channel="",
                content="come",
                sizes=SIZES,
                now=self.now,
            )
        )
        return self.note(invitation, found)

    @precondition(lambda self: self.sent)
    @rule(place=places, act=answers, times=st.integers(1, 2))
    def act(self, place: int, act: Act, times: int) -> None:
        """Once, or twice with the same answer both times."""
        caller, invitation = self.chosen(place)
        uid = caller if act is Act.CANCEL else self.peer(caller)
        seen: list[Decision] = []
        for _ in range(times):
            decision = self.do(
                lambda: act_on(
                    project_id=self.project.pk,
                    caller=self.uids[caller],
                    invitation=invitation,
                    act=act,
                    uid=self.uids[uid],
                    since=self.sessions[uid],
                    text="a word",
                    sizes=SIZES,
                    now=self.now,
                )
            )
            if decision is not None:
                seen.append(self.note(invitation, decision) or decision)
        for decision in seen[1:]:
            assert decision.invitation == seen[0].invitation
            assert decision.refusal is not None

    @rule(passed=seconds)
    def time_passes(self, passed: float) -> None:
        self.now += timedelta(seconds=passed)

    @rule()
    def look_at_the_clock(self) -> None:
        mine = set(Invitation.objects.filter(project=self.project).values_list("pk", flat=True))
        for invitation_id in set(due_invitations(self.now, 1_000)) & mine:
            self.do(partial(time_out, invitation_id=invitation_id, now=self.now))

    @rule(uid=sides)
    def log_in_elsewhere(self, uid: str) -> None:
        """Whether anybody is told of it is another matter."""
        self.sessions[uid] = next(self.since)

    @rule(uid=sides)
    def see_who_is_gone(self, uid: str) -> None:
        for row in Invitation.objects.filter(project=self.project, due_at__isnull=False, caller__in=self.uids.values()):
            for party, name, since in (
                (Party.CALLER, row.caller, row.caller_since),
                (Party.CALLEE, row.callee, row.callee_since),
            ):
                if name == self.uids[uid] and since != self.sessions[uid]:
                    self.do(partial(end_for_gone, invitation_id=row.pk, party=party, since=since, now=self.now))

    # -- what is always so -------------------------------------------------------------------------------

    @invariant()
    def both_sides_fit(self) -> None:
        for caller, invitation in self.sent:
            calling, called = self.uids[caller], self.uids[self.peer(caller)]
            last = require_fitting(self.project.pk, calling, called, invitation)
            row = Invitation.objects.get(project=self.project, caller=calling, invitation=invitation)
            assert (row.state, row.due_at is None) == (last, last not in OPEN)
            assert len(self.ends.get(invitation, [])) <= 1
            if said := self.ends.get(invitation):
                assert said == [last]

    def teardown(self) -> None:
        """In the end everything has ended, and is in both histories."""
        self.kill_at = 0
        self.now += timedelta(seconds=60)
        self.look_at_the_clock()
        self.both_sides_fit()
        for uid in self.uids.values():
            assert open_invitations(self.project.pk, uid, before=None, max_bytes=1_000).invitations == []
            calls, more = call_history(self.project.pk, uid, limit=100)
            assert (len(calls), more) == (len(self.sent), False)
            assert all(call.outcome not in (InvitationState.SENT, InvitationState.RECEIVED) for call in calls)


def test_caller_and_callee_always_end_in_states_that_fit(make_project: Callable[..., Project]) -> None:
    machine = type("Machine", (InvitationMachine,), {"project": make_project()})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )


def test_the_property_can_fail(make_project: Callable[..., Project]) -> None:
    """The property can fail: with a service that tells the caller alone it does."""
    project = make_project()

    def tell_caller_alone(row: Invitation, uids: Any, sender: str, now: datetime) -> None:
        told(row, [row.caller], sender, now)

    told = services._tell
    machine = type("Machine", (InvitationMachine,), {"project": project})
    with mock.patch.object(services, "_tell", tell_caller_alone), pytest.raises(AssertionError):
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=1_000,  # the first that fails ends it
                stateful_step_count=25,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                report_multiple_bugs=False,
            ),
        )
