"""Invitations in the admin: to be read only."""

import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from invitations.models import Invitation
from invitations.services import send
from projects.limits import Sizes
from projects.models import Project


@pytest.fixture
def staff() -> Iterator[Client]:
    user = get_user_model().objects.create_superuser(f"staff-{secrets.token_hex(4)}", password=None)
    client = Client()
    client.force_login(user)
    yield client
    user.delete()


@pytest.fixture
def row(make_project: Callable[..., Project]) -> Invitation:
    project = make_project()
    send(
        project_id=project.pk,
        caller=f"ann-{project.pk}",
        caller_since=1,
        callee="bob",
        callee_since=2,
        invitation="i1",
        channel="math",
        content="maths?",
        sizes=Sizes(),
        now=datetime.now(UTC),
    )
    return Invitation.objects.get(project=project)


def test_they_are_listed_and_found_by_who_called(staff: Client, row: Invitation) -> None:
    page = staff.get(reverse("admin:invitations_invitation_changelist"), {"q": row.caller})
    assert page.context["cl"].result_count == 1
    assert row.caller in page.content.decode()


def test_one_is_shown_and_cannot_be_changed(staff: Client, row: Invitation) -> None:
    where = reverse("admin:invitations_invitation_change", args=[row.pk])
    assert "maths?" in staff.get(where).content.decode()
    assert staff.post(where, {"state": "ACCEPTED"}).status_code == 403
    for action in ("add", "delete"):
        arguments = [] if action == "add" else [row.pk]
        assert staff.post(reverse(f"admin:invitations_invitation_{action}", args=arguments)).status_code == 403
    row.refresh_from_db()
    assert row.state == "SENT"
