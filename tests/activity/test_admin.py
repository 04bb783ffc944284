"""Webhooks and their queue in the admin."""

import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from activity.models import MAX_WEBHOOKS, ClientLog, Webhook, WebhookDelivery
from projects.models import Project


@pytest.fixture
def staff() -> Iterator[Client]:
    user = get_user_model().objects.create_superuser(f"staff-{secrets.token_hex(4)}", password=None)
    client = Client()
    client.force_login(user)
    yield client
    user.delete()


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()


def fields(project: Project, **changed: Any) -> dict[str, Any]:
    return {
        "project": project.pk,
        "url": "https://hooks.example/rostrum",
        "events": json.dumps(["room.sent"]),
        "business_id": "",
        "is_active": "on",
        "new_secret": "",
        **changed,
    }


def test_a_new_webhook_gets_a_secret_that_is_shown_once(staff: Client, project: Project) -> None:
    page = staff.post(reverse("admin:activity_webhook_add"), fields(project), follow=True).content.decode()
    webhook = Webhook.objects.get(project=project)
    assert (webhook.url, webhook.events, len(webhook.secret)) == ("https://hooks.example/rostrum", ["room.sent"], 64)
    assert webhook.secret in page
    page = staff.get(reverse("admin:activity_webhook_change", args=[webhook.pk])).content.decode()
    assert webhook.secret not in page
    assert f"…{webhook.secret[-4:]}" in page


def test_a_secret_is_written_and_stays_when_none_is(staff: Client, project: Project) -> None:
    staff.post(reverse("admin:activity_webhook_add"), fields(project, new_secret="a-secret-of-the-customer"))
    webhook = Webhook.objects.get(project=project)
    assert webhook.secret == "a-secret-of-the-customer"
    page = reverse("admin:activity_webhook_change", args=[webhook.pk])
    assert "a-secret-of" not in staff.get(page).content.decode()
    staff.post(page, fields(project, events="[]"))
    webhook.refresh_from_db()
    assert (webhook.secret, webhook.events) == ("a-secret-of-the-customer", [])
    staff.post(page, fields(project, new_secret="another-secret-of-theirs"))
    webhook.refresh_from_db()
    assert webhook.secret == "another-secret-of-theirs"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"url": "ftp://hooks.example/"}, "An address is http"),
        ({"url": "https:///nowhere"}, "An address is http"),
        ({"url": "https://hooks.example:port/"}, "An address is http"),
        ({"url": "https://hooks.example/a b"}, "An address is http"),
        ({"url": "https://user:pass@hooks.example/"}, "no user, password or fragment"),
        ({"url": "https://hooks.example/#here"}, "no user, password or fragment"),
        ({"events": '["room.flown"]'}, "Unknown events: room.flown"),
        ({"events": '{"room.sent": true}'}, "Events are a list of names."),
        ({"events": "{}"}, "Events are a list of names."),
        ({"new_secret": "short"}, "at least 16 characters"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(
    staff: Client, project: Project, changed: dict[str, Any], reason: str
) -> None:
    answer = staff.post(reverse("admin:activity_webhook_add"), fields(project, **changed))
    assert answer.status_code == 200
    assert reason in answer.content.decode()
    assert not Webhook.objects.filter(project=project).exists()


def test_a_project_has_so_many_webhooks(project: Project, make_project: Callable[..., Project]) -> None:
    for _ in range(MAX_WEBHOOKS):
        last = Webhook.objects.create(project=project, url="https://hooks.example/")
    last.full_clean()
    with pytest.raises(ValidationError, match="at most 16 webhooks"):
        Webhook(project=project, url="https://hooks.example/").full_clean()
    Webhook(project=make_project(), url="https://hooks.example/").full_clean()


def given_up(project: Project) -> WebhookDelivery:
    webhook = Webhook.objects.create(project=project, url="https://hooks.example/")
    return WebhookDelivery.objects.create(
        webhook=webhook, event_id="e1", event="room.sent", payload="{}", attempts=7, created_at=timezone.now()
    )


def send_again(client: Client, delivery: WebhookDelivery) -> str:
    data = {"action": "send_again", "_selected_action": [delivery.pk]}
    answer = client.post(reverse("admin:activity_webhookdelivery_changelist"), data, follow=True)
    delivery.refresh_from_db()
    return answer.content.decode()


def test_deliveries_are_listed_and_sent_again(staff: Client, project: Project) -> None:
    delivery = given_up(project)
    assert "given up" in staff.get(reverse("admin:activity_webhookdelivery_changelist")).content.decode()
    assert "1 deliveries are queued again." in send_again(staff, delivery)
    assert (delivery.state, delivery.attempts, delivery.event_id) == ("waiting", 0, "e1")


def test_who_may_only_look_sends_nothing(project: Project) -> None:
    delivery = given_up(project)
    user = get_user_model().objects.create_user(f"viewer-{secrets.token_hex(4)}", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_webhookdelivery"))
    client = Client()
    client.force_login(user)
    page = client.get(reverse("admin:activity_webhookdelivery_changelist")).content.decode()
    assert "e1" in page
    assert "send_again" not in page
    send_again(client, delivery)
    assert delivery.state == "given up"
    user.delete()


def test_the_queue_is_not_edited_by_hand(staff: Client, project: Project) -> None:
    delivery = given_up(project)
    page = reverse("admin:activity_webhookdelivery_change", args=[delivery.pk])
    assert staff.get(page).status_code == 200
    assert staff.post(page, {"payload": "{}"}).status_code == 403
    assert staff.get(reverse("admin:activity_webhookdelivery_add")).status_code == 403


@pytest.fixture
def log(project: Project) -> ClientLog:
    lines = [
        {"ts": 1_700_000_000_123, "level": "warn", "text": "<b>lost</b> the connection"},
        {"ts": 0, "level": "info", "text": "a\u0000b"},
    ]
    return ClientLog.objects.create(
        project=project,
        uid="ann",
        sdk="rostrum-js",
        version="1.2.3",
        lines=json.dumps(lines),
        received_at=timezone.now(),
    )


def test_a_client_log_shows_its_lines_as_they_were_written(staff: Client, log: ClientLog) -> None:
    page = staff.get(reverse("admin:activity_clientlog_change", args=[log.pk])).content.decode()
    assert "2023-11-14 22:13:20.123+00:00 warn &lt;b&gt;lost&lt;/b&gt; the connection" in page
    assert "<b>lost</b>" not in page
    assert "1970-01-01 00:00:00.000+00:00 info a\x00b" in page


def test_client_logs_are_found_by_uid(staff: Client, log: ClientLog) -> None:
    ClientLog.objects.create(project=log.project, uid="bob", lines="[]", received_at=timezone.now())
    listed = f"/{log.pk}/change/"
    here = {"project__id__exact": log.project_id}
    pages = {
        uid: staff.get(reverse("admin:activity_clientlog_changelist"), {**here, "q": uid}).content.decode()
        for uid in ("ann", "bob", "nobody")
    }
    assert {uid: listed in page for uid, page in pages.items()} == {"ann": True, "bob": False, "nobody": False}


def test_client_logs_are_not_changed_by_hand(staff: Client, log: ClientLog) -> None:
    page = reverse("admin:activity_clientlog_change", args=[log.pk])
    assert staff.post(page, {"uid": "bob"}).status_code == 403
    assert staff.get(reverse("admin:activity_clientlog_add")).status_code == 403
    log.refresh_from_db()
    assert log.uid == "ann"


def test_client_logs_speak_chinese(staff: Client, log: ClientLog) -> None:
    page = staff.get(
        reverse("admin:activity_clientlog_change", args=[log.pk]), headers={"accept-language": "zh-hans"}
    ).content.decode()
    for text in ("客户端日志", "用户 ID", "项目", "版本", "收到时间", "日志内容"):
        assert text in page, text
