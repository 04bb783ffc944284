"""What the services write, refuse and ask of the database."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from invitations.models import Invitation
from invitations.selectors import call_history, open_invitations
from invitations.services import Decision, act_on, end_for_gone, purge_invitations, send, time_out
from invitations.transitions import Act, Party, Refusal
from messaging.models import Entry, Stream
from projects.limits import Sizes
from projects.models import Project
from realtime.errors import RpcError
from tests.support.invitations import inbox

NOW = datetime(2026, 1, 15, 9, 0, 0, 250_000, tzinfo=UTC)
SIZES = Sizes()


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()


def call(project: Project, invitation: str = "i1", **changed: Any) -> Decision:
    given = {
        "caller": "ann",
        "caller_since": 1,
        "callee": "bob",
        "callee_since": 2,
        "channel": "",
        "content": "",
        "sizes": SIZES,
        "now": NOW,
    }
    return send(project_id=project.pk, invitation=invitation, **{**given, **changed})


def do(project: Project, act: Act, invitation: str = "i1", **changed: Any) -> Decision:
    caller = act is Act.CANCEL
    given = {
        "caller": "ann",
        "uid": "ann" if caller else "bob",
        "since": 1 if caller else 2,
        "sizes": SIZES,
        "now": after(1),
    }
    return act_on(project_id=project.pk, invitation=invitation, act=act, **{**given, **changed})


def row_of(project: Project, invitation: str = "i1") -> Invitation:
    return Invitation.objects.get(project=project, invitation=invitation)


def test_each_step_is_told_in_both_inboxes(project: Project) -> None:
    call(project, content="a \u0000 call", channel="math")
    do(project, Act.CONFIRM)
    do(project, Act.ACCEPT, text="yes", now=after(5))
    for uid in ("ann", "bob"):
        told = inbox(project.pk, uid)
        assert [(each.sender, each.state, each.body["step"]) for each in told] == [
            ("ann", "SENT", 1),
            ("bob", "RECEIVED", 2),
            ("bob", "ACCEPTED", 3),
        ]
        assert told[-1].body == {
            "invitation": "i1",
            "caller": "ann",
            "callee": "bob",
            "channel": "math",
            "content": "a \u0000 call",
            "response": "yes",
            "state": "ACCEPTED",
            "reason": "",
            "step": 3,
            "ts": round(after(5).timestamp() * 1000),
        }


def test_the_ids_of_entries_are_those_of_the_steps_and_no_clients(project: Project) -> None:
    call(project)
    do(project, Act.REFUSE)
    entries = Entry.objects.filter(stream__project=project).order_by("stream__name", "seq")
    key = row_of(project).pk
    assert [entry.message_id for entry in entries] == [f"invitation:{key}:1", f"invitation:{key}:2"] * 2


def test_a_callee_who_is_not_there_hears_nothing(project: Project) -> None:
    decision = call(project, callee_since=None)
    assert (decision.invitation.state, decision.invitation.reason) == ("FAILED", "PEER_OFFLINE")
    assert [told.state for told in inbox(project.pk, "ann")] == ["FAILED"]
    assert not Stream.objects.filter(project=project, name="inbox:bob").exists()


def test_a_cancelling_may_say_something_else(project: Project) -> None:
    call(project, content="come")
    do(project, Act.CANCEL, text="stay")
    assert [told.body["content"] for told in inbox(project.pk, "bob")] == ["come", "stay"]
    call(project, "i2", content="come")
    do(project, Act.CANCEL, "i2")
    assert [told.body["content"] for told in inbox(project.pk, "bob", "i2")] == ["come", "come"]


def test_only_the_two_parties_can_do_something(project: Project) -> None:
    call(project)
    for act, uid in [(Act.ACCEPT, "eve"), (Act.ACCEPT, "ann"), (Act.CONFIRM, "ann"), (Act.CANCEL, "bob")]:
        with pytest.raises(RpcError, match="no such invitation"):
            do(project, act, uid=uid)
    with pytest.raises(RpcError, match="no such invitation"):
        do(project, Act.ACCEPT, "i2")
    assert [told.state for told in inbox(project.pk, "ann")] == ["SENT"]


def test_an_id_stands_for_one_invitation(project: Project) -> None:
    call(project)
    for changed in ({"callee": "eve"}, {"channel": "math"}):
        with pytest.raises(RpcError, match="another invitation"):
            call(project, **changed)
    assert call(project, caller="eve", content="another's").refusal is None


def test_what_comes_late_finds_what_the_time_has_brought(project: Project) -> None:
    """Also when no process was there to look at the clock."""
    call(project)
    decision = do(project, Act.ACCEPT, now=after(30))
    assert decision.refusal is Refusal.TOO_LATE
    assert (decision.invitation.state, decision.invitation.reason) == ("FAILED", "INVITATION_EXPIRE")
    assert inbox(project.pk, "ann")[-1].reason == "PEER_NO_RESPONSE"
    assert do(project, Act.ACCEPT, now=after(31)).refusal is Refusal.ENDED
    assert len(inbox(project.pk, "ann")) == 2


@pytest.mark.parametrize("act", [Act.CONFIRM, Act.ACCEPT, Act.REFUSE, Act.CANCEL])
def test_another_session_of_a_party_finds_it_ended(project: Project, act: Act) -> None:
    call(project)
    decision = do(project, act, since=9)
    assert (decision.refusal, decision.invitation.state) == (Refusal.ENDED, "FAILED")
    reasons = [inbox(project.pk, uid)[-1].reason for uid in ("ann", "bob")]
    assert reasons == (["NOT_LOGGEDIN", "PEER_OFFLINE"] if act is Act.CANCEL else ["PEER_OFFLINE", "PEER_OFFLINE"])


@pytest.mark.parametrize("act", [Act.CONFIRM, Act.ACCEPT, Act.REFUSE, Act.CANCEL])
def test_a_session_that_was_taken_over_changes_nothing(project: Project, act: Act) -> None:
    """Its process has not heard of it yet."""
    call(project, caller_since=5, callee_since=6)
    with pytest.raises(RpcError, match="another session"):
        do(project, act, since=4)
    assert [told.state for told in inbox(project.pk, "bob")] == ["SENT"]


def test_the_first_session_to_answer_is_the_callees_when_none_was_known(project: Project) -> None:
    call(project, callee_since=0)
    assert do(project, Act.CONFIRM, since=7).refusal is None
    assert row_of(project).callee_since == 7
    assert do(project, Act.ACCEPT, since=8).refusal is Refusal.ENDED


def test_who_is_gone_ends_only_what_was_of_that_session(project: Project) -> None:
    call(project)
    key = row_of(project).pk
    assert not end_for_gone(invitation_id=key, party=Party.CALLEE, since=1, now=after(1))
    assert end_for_gone(invitation_id=key, party=Party.CALLEE, since=2, now=after(1))
    assert not end_for_gone(invitation_id=key, party=Party.CALLEE, since=2, now=after(1))
    assert len(inbox(project.pk, "bob")) == 2


def test_a_clock_that_is_behind_turns_nothing_back(project: Project) -> None:
    """Processes' clocks differ: what happens after something is not earlier."""
    call(project)
    do(project, Act.CONFIRM, now=after(2))
    do(project, Act.ACCEPT, now=after(-5))
    row = row_of(project)
    assert (row.confirmed_at, row.ended_at) == (after(2), after(2))


def test_sizes_are_bounded(project: Project) -> None:
    exactly = "é" * (SIZES.invitation_bytes // 2)
    call(project, content=exactly)
    do(project, Act.ACCEPT, text=exactly)
    with pytest.raises(RpcError, match="at most 8192 bytes"):
        call(project, "i2", content=exactly + "x")
    call(project, "i3")
    for act in (Act.ACCEPT, Act.REFUSE, Act.CANCEL):
        with pytest.raises(RpcError, match="at most 8192 bytes"):
            do(project, act, "i3", text=exactly + "x")
    assert not Invitation.objects.filter(project=project, invitation="i2").exists()
    assert row_of(project, "i3").state == "SENT"


def test_open_invitations_of_a_caller_are_bounded(project: Project) -> None:
    few = Sizes(open_invitations=3)
    for number in range(3):
        call(project, f"i{number}", sizes=few)
    with pytest.raises(RpcError, match="At most 3"):
        call(project, "one more", sizes=few)
    assert call(project, "i0", sizes=few).refusal is Refusal.REPEATED
    assert call(project, "another's", caller="eve", sizes=few).refusal is None
    do(project, Act.REFUSE, "i0")
    assert call(project, "one more", sizes=few).refusal is None


def test_open_ones_are_listed_for_both_in_pages(project: Project) -> None:
    for number in range(4):
        call(project, f"i{number}", content="x" * 600)
    call(project, "back", caller="bob", callee="ann", content="x" * 600)
    do(project, Act.ACCEPT, "i3")
    for uid in ("ann", "bob"):
        page = open_invitations(project.pk, uid, before=None, max_bytes=2_000)
        assert ([found.invitation for _, found in page.invitations], page.more) == (["back", "i2"], True)
        page = open_invitations(project.pk, uid, before=page.invitations[-1][0], max_bytes=2_000)
        assert ([found.invitation for _, found in page.invitations], page.more) == (["i1", "i0"], False)
        page = open_invitations(project.pk, uid, before=None, max_bytes=1)
        assert [found.invitation for _, found in page.invitations] == ["back"]
    assert open_invitations(project.pk, "eve", before=None, max_bytes=1).invitations == []


def test_the_history_has_both_roles_and_who_missed_a_call(project: Project) -> None:
    call(project, "accepted")
    do(project, Act.ACCEPT, "accepted", now=after(4))
    call(project, "back", caller="bob", callee="ann", channel="math")
    do(project, Act.CANCEL, "back", caller="bob", uid="bob", now=after(9))
    call(project, "unheard")
    time_out(invitation_id=row_of(project, "unheard").pk, now=after(30))
    call(project, "open")
    calls, more = call_history(project.pk, "ann", limit=2)
    assert more
    assert [
        (each.invitation, each.is_caller, each.peer, each.outcome, each.reason, each.missed, each.waited_ms)
        for each in calls
    ] == [
        ("unheard", True, "bob", "FAILED", "PEER_NO_RESPONSE", True, 30_000),
        ("back", False, "bob", "CANCELED", "", True, 9_000),
    ]
    (first,), more = call_history(project.pk, "ann", before=calls[-1].number, limit=2)
    assert (first.invitation, first.missed, first.waited_ms, more) == ("accepted", False, 4_000, False)
    assert [each.is_caller for each in call_history(project.pk, "bob", limit=9)[0]] == [False, True, False]
    assert call_history(project.pk, "bob", limit=9)[0][0].reason == "INVITATION_EXPIRE"


def test_retention_deletes_what_has_ended_and_is_old(project: Project) -> None:
    for number in range(5):
        call(project, f"i{number}")
    for number in range(4):
        do(project, Act.REFUSE, f"i{number}", now=after(number))
    assert list(purge_invitations(project_id=project.pk, before=after(3), batch=2)) == [2, 1]
    assert sorted(Invitation.objects.filter(project=project).values_list("invitation", flat=True)) == ["i3", "i4"]


def test_the_command_for_retention_knows_them(project: Project) -> None:
    call(project)
    do(project, Act.REFUSE)
    long_ago = timezone.now() - timedelta(days=400)
    Invitation.objects.filter(project=project).update(created_at=long_ago, confirmed_at=long_ago, ended_at=long_ago)
    for arguments, left in ((["--dry-run"], True), ([], False)):
        out = StringIO()
        call_command("purge_expired", "--project", project.app_id, *arguments, stdout=out)
        assert "1 ended invitations" in out.getvalue()
        assert Invitation.objects.filter(project=project).exists() == left


@pytest.mark.parametrize(
    "changed",
    [
        {"state": "ACCEPTED"},
        {"ended_at": NOW},
        {"due_at": None},
        {"state": "RECEIVED"},
        {"confirmed_at": NOW},
        {"callee": "ann"},
        {"callee": ""},
        {"caller": ""},
        {"caller_reason": "PEER_OFFLINE"},
        {"callee_reason": "PEER_OFFLINE"},
        {"response": "yes"},
        {"state": "FAILED", "due_at": None, "ended_at": NOW},
        {"state": "CANCELED", "due_at": None, "ended_at": after(-1)},
        {"step": 0},
        {"step": 4},
        {"content": "x" * 98_306},
        {"state": "IDLE"},
    ],
    ids=str,
)
def test_the_database_refuses_what_no_invitation_is(project: Project, changed: dict[str, Any]) -> None:
    call(project)
    with pytest.raises(IntegrityError), transaction.atomic():
        Invitation.objects.filter(project=project).update(**changed)


def queries_of(function: Callable[[], object]) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        function()
    return [each["sql"] for each in captured if each["sql"].startswith(("SELECT", "INSERT", "UPDATE", "DELETE"))]


def test_what_an_act_asks_of_the_database_does_not_grow(project: Project) -> None:
    """Locks the row, saves it, and appends to two inboxes."""
    call(project)
    first = [len(queries_of(partial(do, project, act))) for act in (Act.CONFIRM, Act.ACCEPT)]
    for number in range(30):
        call(project, f"old{number}")
        do(project, Act.REFUSE, f"old{number}")
    counts = [len(queries_of(lambda: call(project, "i2")))]
    counts += [len(queries_of(partial(do, project, act, "i2"))) for act in (Act.CONFIRM, Act.ACCEPT)]
    assert counts == [11, *first]
    assert first == [9, 9]


PLANS: dict[str, tuple[QuerySet[Invitation], str]] = {
    "what is due": (Invitation.objects.filter(due_at__lte=NOW).order_by("due_at", "pk"), "invitation_due"),
    "what is open": (
        Invitation.objects.filter(due_at__isnull=False, pk__gt=0).order_by("pk"),
        "invitation_open",
    ),
    "how many a caller has open": (
        Invitation.objects.filter(project_id=1, caller="ann", due_at__isnull=False),
        "invitation_open_cal",
    ),
    "a caller's history": (
        Invitation.objects.filter(project_id=1, caller="ann", ended_at__isnull=False).order_by("-pk"),
        "invitation_by_caller",
    ),
    "a callee's history": (
        Invitation.objects.filter(project_id=1, callee="ann", ended_at__isnull=False).order_by("-pk"),
        "invitation_by_callee",
    ),
}


def fill(pattern: Invitation) -> None:
    """Makes 1,000 more of it, between other users."""
    fields = {
        field.attname: getattr(pattern, field.attname) for field in Invitation._meta.fields if not field.primary_key
    }
    Invitation.objects.bulk_create(
        Invitation(**{**fields, "caller": f"caller{number}", "callee": f"callee{number}"}) for number in range(1_000)
    )


@pytest.mark.parametrize("question", PLANS)
def test_what_is_asked_often_has_an_index(project: Project, question: str) -> None:
    query, index = PLANS[question]
    call(project)
    with transaction.atomic():
        if connection.vendor == "postgresql":  # in a small table it takes any index, or none
            fill(Invitation.objects.get(project=project))
            with connection.cursor() as cursor:
                cursor.execute(
                    "SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; ANALYZE invitations_invitation"
                )
        plan = query[:50].explain()
        transaction.set_rollback(True)
    assert index in plan
    assert "TEMP B-TREE" not in plan, "sorted by hand"
