"""What `manage.py purge_expired` deletes of activity."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from activity.models import BusinessId, ClientLog, VendorEvent, Webhook, WebhookDelivery
from activity.retention import purge_deliveries
from activity.services import vendor
from projects.models import Project

NOW = timezone.now()


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()


def queue(project: Project) -> Webhook:
    webhook = Webhook.objects.create(project=project, url="https://hooks.example/")
    for name, queued_days, delivered_days, waits in (
        ("just delivered", 29, 2.9, False),
        ("delivered", 29, 3.1, False),
        ("given up", 29, None, False),
        ("given up long ago", 31, None, False),
        ("waiting", 400, None, True),
    ):
        WebhookDelivery.objects.create(
            webhook=webhook,
            event_id=name,
            event="room.joined",
            payload="{}",
            created_at=NOW - timedelta(days=queued_days),
            delivered_at=None if delivered_days is None else NOW - timedelta(days=delivered_days),
            next_attempt_at=NOW if waits else None,
        )
    return webhook


def left(webhook: Webhook) -> set[str]:
    return set(webhook.deliveries.values_list("event_id", flat=True))


def run(*arguments: str) -> list[str]:
    out = StringIO()
    call_command("purge_expired", *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_deliveries_go_three_days_after_their_arrival_and_thirty_when_given_up(
    project: Project, make_project: Callable[..., Project]
) -> None:
    webhook, other = queue(project), queue(make_project())
    said = run("--project", project.app_id)
    assert f"test ({project.app_id}): deleted 2 webhook deliveries" in said
    assert left(webhook) == {"just delivered", "given up", "waiting"}
    assert len(left(other)) == 5
    assert run("--project", project.app_id) == ["deleted 0 entries"]


def test_a_dry_run_counts_and_deletes_nothing(project: Project) -> None:
    webhook = queue(project)
    assert f"test ({project.app_id}): would delete 2 webhook deliveries" in run("--dry-run")
    assert len(left(webhook)) == 5


def test_they_go_in_batches(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activity.retention.BATCH", 1)
    queue(project)
    assert list(purge_deliveries(project.pk, NOW)) == [1, 1]


def test_business_ids_go_three_days_after_their_end(project: Project) -> None:
    for uid, ended_days in (("ann", None), ("bob", 2.9), ("cyd", 3.1)):
        BusinessId.objects.create(
            project=project,
            uid=uid,
            business_id="evening",
            since=NOW - timedelta(days=400),
            until=None if ended_days is None else NOW - timedelta(days=ended_days),
        )
    assert f"test ({project.app_id}): would delete 1 business ids" in run("--dry-run")
    run()
    assert set(BusinessId.objects.filter(project=project).values_list("uid", flat=True)) == {"ann", "bob"}


def test_client_logs_go_seven_days_after_they_came(project: Project, make_project: Callable[..., Project]) -> None:
    other = make_project()
    for owner in (project, other):
        for uid, days in (("ann", 0), ("bob", 6.9), ("cyd", 7.1)):
            received = NOW - timedelta(days=days)
            ClientLog.objects.create(project=owner, uid=uid, lines="[]", received_at=received)
    assert f"test ({project.app_id}): would delete 1 client logs" in run("--dry-run")
    run("--project", project.app_id)
    assert set(ClientLog.objects.filter(project=project).values_list("uid", flat=True)) == {"ann", "bob"}
    assert ClientLog.objects.filter(project=other).count() == 3


def test_events_that_nobody_takes_are_kept_up_to_their_number(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vendor, "KEPT", 2)
    monkeypatch.setattr("activity.retention.KEPT", 2)
    for number in range(5):
        VendorEvent.objects.create(
            project=project,
            kind="user",
            type="Login",
            uid=f"u{number}",
            happened_at=NOW,
            event_id=f"{project.pk}-{number}",
        )
    assert f"test ({project.app_id}): would delete 3 events for the vendor's queries" in run("--dry-run")
    run()
    assert list(VendorEvent.objects.filter(project=project).values_list("uid", flat=True)) == ["u3", "u4"]
