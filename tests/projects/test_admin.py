"""Projects in the admin."""

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from projects.models import Project


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
        "certificate": "",
        "is_active": "on",
        "allowed_origins": "",
        "limits": "{}",
        "recovery_window_s": "600",
        "retention_days": "365",
        "stream_quota": "1000",
        "user_stream_quota": "10",
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
