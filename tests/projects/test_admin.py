"""Projects in the admin."""

import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from projects.models import Project, Removal
from projects.selectors import active_ban
from projects.services import ban_user
from tests.support.tokens import CERTIFICATE


@pytest.fixture
def staff() -> Iterator[Client]:
    user = get_user_model().objects.create_superuser(f"staff-{secrets.token_hex(4)}", password=None)
    client = Client()
    client.force_login(user)
    yield client
    user.delete()


def fields(**changed: Any) -> dict[str, Any]:
    return {
        "name": "Evening class",
        "app_id": secrets.token_hex(16),
        "certificate": CERTIFICATE,
        "is_active": "on",
        "allowed_origins": "",
        "limits": "{}",
        "recovery_window_s": "600",
        "retention_days": "365",
        "stream_quota": "1000",
        "user_stream_quota": "10",
        "media_quota": "1000000",
        "user_media_quota": "10000",
        **changed,
    }


def test_a_project_is_made_and_found(staff: Client) -> None:
    data = fields()
    assert staff.post(reverse("admin:projects_project_add"), data).status_code == 302
    found = staff.get(reverse("admin:projects_project_changelist"), {"q": data["app_id"]})
    assert data["app_id"] in found.content.decode()


def test_limits_that_cannot_be_are_refused_with_the_reason(staff: Client) -> None:
    data = fields(limits='{"sizes": {"rooms_per_session": 65}}')
    answer = staff.post(reverse("admin:projects_project_add"), data)
    assert answer.status_code == 200
    assert "size rooms_per_session is at most 64" in answer.content.decode()
    assert not Project.objects.filter(app_id=data["app_id"]).exists()


def test_the_app_id_of_a_project_stays_as_it_is(staff: Client, make_project: Callable[..., Project]) -> None:
    project = make_project()
    page = reverse("admin:projects_project_change", args=[project.pk])
    assert staff.post(page, fields(name="Renamed")).status_code == 302
    renamed = Project.objects.get(pk=project.pk)
    assert (renamed.name, renamed.app_id) == ("Renamed", project.app_id)


# Certificates


def test_a_certificate_that_servers_have_already_is_taken_over(staff: Client) -> None:
    data = fields(certificate_enabled="on")
    assert staff.post(reverse("admin:projects_project_add"), data).status_code == 302
    project = Project.objects.get(app_id=data["app_id"])
    assert (project.certificate, project.certificate_enabled) == (CERTIFICATE, True)


def test_the_list_shows_no_secret_and_the_page_only_to_who_asks(
    staff: Client, make_project: Callable[..., Project]
) -> None:
    project = make_project(certificate=CERTIFICATE, secondary_certificate="1" * 32)
    listed = staff.get(reverse("admin:projects_project_changelist"), {"q": project.app_id}).content.decode()
    assert project.app_id in listed
    page = staff.get(reverse("admin:projects_project_change", args=[project.pk])).content.decode()
    for secret in (project.certificate, project.secondary_certificate):
        assert secret not in listed
        assert page.count(secret) == 1
        assert f"<details><summary>Show</summary><code>{secret}</code></details>" in page


def test_who_may_only_look_at_projects_sees_no_secret(make_project: Callable[..., Project]) -> None:
    project = make_project(certificate=CERTIFICATE)
    user = get_user_model().objects.create_user(f"viewer-{secrets.token_hex(4)}", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_project"))
    viewer = Client()
    viewer.force_login(user)
    page = viewer.get(reverse("admin:projects_project_change", args=[project.pk])).content.decode()
    assert project.app_id in page
    assert CERTIFICATE not in page
    user.delete()


def test_certificates_are_rotated_and_not_typed(staff: Client, make_project: Callable[..., Project]) -> None:
    project = make_project(certificate=CERTIFICATE)
    staff.post(reverse("admin:projects_project_change", args=[project.pk]), fields(certificate="2" * 32))
    project.refresh_from_db()
    assert project.certificate == CERTIFICATE

    def act(action: str) -> None:
        data = {"action": action, "_selected_action": project.pk}
        assert staff.post(reverse("admin:projects_project_changelist"), data).status_code == 302
        project.refresh_from_db()

    act("rotate")
    assert project.secondary_certificate == CERTIFICATE != project.certificate
    act("drop_secondary")
    assert project.secondary_certificate == ""


# Kicks and bans


def removal(project: Project, **changed: Any) -> dict[str, Any]:
    return {"project": project.pk, "kind": "ban", "uid": "ann", "until_0": "", "until_1": "", "reason": "", **changed}


def is_banned(project: Project) -> bool:
    return active_ban(project_id=project.pk, uid="ann", now=datetime.now(UTC)) is not None


def test_a_ban_is_added_and_lifted(staff: Client, make_project: Callable[..., Project]) -> None:
    project = make_project()
    add = reverse("admin:projects_removal_add")
    assert staff.post(add, removal(project, reason="noise")).status_code == 302
    ban = Removal.objects.get(project=project)
    assert (ban.kind, ban.uid, ban.reason, ban.by[:6]) == ("ban", "ann", "noise", "staff-")
    assert is_banned(project)
    assert staff.post(add, removal(project)).status_code == 302, "it takes the place of the first"
    lift = {"action": "lift", "_selected_action": [each.pk for each in Removal.objects.filter(project=project)]}
    assert staff.post(reverse("admin:projects_removal_changelist"), lift).status_code == 302
    assert not is_banned(project)


def test_a_kick_is_added(staff: Client, make_project: Callable[..., Project]) -> None:
    project = make_project()
    assert staff.post(reverse("admin:projects_removal_add"), removal(project, kind="kick")).status_code == 302
    assert Removal.objects.get(project=project).kind == "kick"


@pytest.mark.parametrize(
    "wrong",
    [
        {"uid": ""},
        {"uid": "null"},
        {"kind": "fine"},
        {"until_0": "2020-01-01", "until_1": "00:00"},
        {"kind": "kick", "until_0": "2100-01-01", "until_1": "00:00"},
    ],
)
def test_a_removal_that_cannot_be_is_refused_in_the_form(
    staff: Client, make_project: Callable[..., Project], wrong: dict[str, str]
) -> None:
    project = make_project()
    assert staff.post(reverse("admin:projects_removal_add"), removal(project, **wrong)).status_code == 200
    assert not Removal.objects.filter(project=project).exists()


def test_a_removal_stays_as_a_record(staff: Client, make_project: Callable[..., Project]) -> None:
    ban = ban_user(project_id=make_project().pk, uid="ann", now=datetime.now(UTC))
    page = reverse("admin:projects_removal_change", args=[ban.pk])
    assert staff.get(page).status_code == 200
    assert staff.post(page, {"uid": "bob"}).status_code == 403
    assert staff.post(reverse("admin:projects_removal_delete", args=[ban.pk])).status_code == 403
