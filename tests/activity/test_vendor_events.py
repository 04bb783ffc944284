"""The vendor's event queries: each event once, the newest 2000 (docs/contract.md 10)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from activity.events import JOINED, LOGGED_IN, Occurrence, make_event_id
from activity.models import VendorEvent
from activity.services import TakenEvent, take_channel_events, take_user_events, vendor
from activity.services.recording import record_occurrences
from activity.services.vendor import trim_vendor_events
from projects.models import Project
from tests.support.activity import make_heard, record
from tests.support.clock import Lifetime

NOW = datetime(2026, 1, 15, 9, tzinfo=UTC)


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()


def happen(project: Project, count: int, event: str = LOGGED_IN) -> None:
    record_occurrences(
        occurrences=[
            Occurrence(
                id=make_event_id(),
                project=project.pk,
                event=event,
                ts=number,
                uid=f"u{number}",
                room="math" if event == JOINED else "",
            )
            for number in range(count)
        ],
        now=NOW,
    )


async def test_they_say_who_did_what_when_in_order(lifetime: Lifetime, fast_app: str) -> None:
    await make_heard(fast_app)
    ann = await lifetime.enter(fast_app, "ann", "math")
    began = lifetime.clock.now_ms()
    lifetime.clock.advance(2)
    await ann.call("room.leave", room="math")
    await ann.call("session.logout")
    await record(lifetime.runtime)
    project = await sync_to_async(Project.objects.get)(app_id=fast_app)
    assert await sync_to_async(take_user_events)(project.pk) == [
        TakenEvent("Login", "ann", "", began),
        TakenEvent("Logout", "ann", "", began + 2_000),
    ]
    assert await sync_to_async(take_channel_events)(project.pk) == [
        TakenEvent("Join", "ann", "math", began),
        TakenEvent("Leave", "ann", "math", began + 2_000),
    ]


def test_each_is_handed_out_once_and_the_oldest_first(project: Project) -> None:
    happen(project, 5)
    assert [event.uid for event in take_user_events(project.pk, limit=2)] == ["u0", "u1"]
    assert [event.uid for event in take_user_events(project.pk)] == ["u2", "u3", "u4"]
    assert take_user_events(project.pk) == []
    happen(project, 1)
    assert [event.uid for event in take_user_events(project.pk)] == ["u0"]


def test_a_call_hands_out_a_thousand_at_most(project: Project) -> None:
    happen(project, 1_500)
    assert [len(take_user_events(project.pk, limit=limit)) for limit in (5_000, 5_000)] == [1_000, 500]


def test_the_newest_two_thousand_are_kept(project: Project) -> None:
    happen(project, 2_003)
    happen(project, 3, JOINED)
    assert [event.ts for event in take_user_events(project.pk)] == list(range(3, 1_003))
    happen(project, 1_003)
    assert list(trim_vendor_events(project_id=project.pk)) == [6], "the 3 that were never handed out, and 3 more"
    assert VendorEvent.objects.filter(project=project, kind="user").count() == 2_000
    assert len(take_channel_events(project.pk)) == 3


def test_another_project_has_its_own(project: Project, make_project: Callable[..., Project]) -> None:
    other = make_project()
    happen(project, 2)
    assert take_user_events(other.pk) == []
    assert len(take_user_events(project.pk)) == 2


def test_calls_at_the_same_time_share_them_without_one_twice(project: Project) -> None:
    happen(project, 400)

    def take(_: int) -> list[str]:
        try:
            taken: list[str] = []
            while events := take_user_events(project.pk, limit=7):
                taken += [event.uid for event in events]
            return taken
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        taken = [uid for uids in pool.map(take, range(4)) for uid in uids]
    assert sorted(taken) == sorted(f"u{number}" for number in range(400))


async def test_a_busy_process_deletes_what_is_not_kept(
    lifetime: Lifetime, fast_app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vendor, "KEPT", 4)
    monkeypatch.setattr("activity.recorder.TRIM_EVERY", 10)
    await make_heard(fast_app)
    project = await sync_to_async(Project.objects.get)(app_id=fast_app)
    for number in range(12):
        await lifetime.enter(fast_app, f"u{number}")
    await record(lifetime.runtime)
    assert await sync_to_async(VendorEvent.objects.filter(project=project).count)() == 4
    assert [event.uid for event in await sync_to_async(take_user_events)(project.pk)] == ["u8", "u9", "u10", "u11"]
