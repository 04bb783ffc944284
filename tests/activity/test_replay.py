"""`manage.py replay_webhooks`: what failed, or all since a time, goes out again under the same event ids."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from activity.models import Webhook, WebhookDelivery
from projects.models import Project

NOW = timezone.now()


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()


def webhook_of(project: Project) -> Webhook:
    """With a delivery in each state, named for it."""
    webhook = Webhook.objects.create(project=project, url="https://hooks.example/")
    for name, hours_ago, delivered, next_in in (
        ("old", 48, True, None),
        ("delivered", 1, True, None),
        ("given-up", 2, False, None),
        ("old-given-up", 72, False, None),
        ("retried", 1, False, timedelta(hours=6)),
        ("under-way", 0, False, timedelta(seconds=20)),
        ("new", 0, False, timedelta(0)),
    ):
        WebhookDelivery.objects.create(
            webhook=webhook,
            event_id=name,
            event="room.joined",
            payload="{}",
            attempts=3,
            created_at=NOW - timedelta(hours=hours_ago),
            delivered_at=NOW if delivered else None,
            next_attempt_at=None if next_in is None else NOW + next_in,
            last_error="" if delivered else "answered 500",
        )
    return webhook


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("replay_webhooks", *arguments, stdout=out)
    return out.getvalue().strip()


def queued(webhook: Webhook) -> set[str]:
    """The deliveries that were queued anew."""
    return set(webhook.deliveries.filter(attempts=0).values_list("event_id", flat=True))


def test_what_failed_is_queued_again(project: Project) -> None:
    webhook = webhook_of(project)
    assert run("--failed", "--project", project.app_id) == "queued 3 deliveries again"
    assert queued(webhook) == {"given-up", "old-given-up", "retried"}
    again = webhook.deliveries.get(event_id="given-up")
    assert again.next_attempt_at is not None
    assert NOW <= again.next_attempt_at <= timezone.now()
    assert (again.state, again.last_error) == ("waiting", "")
    assert webhook.deliveries.count() == 7, "the same deliveries under the same ids"
    assert run("--failed", "--project", project.app_id) == "queued 0 deliveries again"


def test_everything_since_a_time_is_queued_again(project: Project) -> None:
    webhook = webhook_of(project)
    since = (NOW - timedelta(hours=24)).isoformat()
    assert run("--since", since, "--project", project.app_id) == "queued 3 deliveries again"
    assert queued(webhook) == {"delivered", "given-up", "retried"}


def test_what_failed_since_a_time(project: Project) -> None:
    webhook = webhook_of(project)
    run("--since", (NOW - timedelta(hours=24)).isoformat(), "--failed", "--webhook", str(webhook.pk))
    assert queued(webhook) == {"given-up", "retried"}


def test_a_time_without_a_zone_is_utc(project: Project) -> None:
    webhook = webhook_of(project)
    run("--since", (NOW - timedelta(minutes=90)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"))
    assert queued(webhook) == {"delivered", "retried"}


def test_only_the_project_or_the_webhook_that_is_named(project: Project, make_project: Callable[..., Project]) -> None:
    chosen, sibling, other = webhook_of(project), webhook_of(project), webhook_of(make_project())
    run("--failed", "--webhook", str(chosen.pk))
    assert [bool(queued(webhook)) for webhook in (chosen, sibling, other)] == [True, False, False]
    run("--failed", "--project", project.app_id)
    assert [bool(queued(webhook)) for webhook in (sibling, other)] == [True, False]
    run("--failed")
    assert queued(other)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "Say what to send again"),
        (("--failed", "--project", "0" * 32), "No project has the App ID"),
        (("--failed", "--webhook", "0"), "There is no webhook 0"),
        (("--since", "yesterday"), "yesterday is no time"),
    ],
)
def test_a_command_that_makes_no_sense_says_so(arguments: tuple[str, ...], reason: str) -> None:
    with pytest.raises(CommandError, match=reason):
        run(*arguments)


def test_many_are_queued_in_batches(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activity.services.deliveries.BATCH", 2)
    webhook = webhook_of(project)
    assert run("--since", datetime(2000, 1, 1, tzinfo=UTC).isoformat()) == "queued 5 deliveries again"
    assert len(queued(webhook)) == 5
