"""Credentials of the REST interface: the command and the admin, which show a secret once."""

import re
import secrets
from collections.abc import Callable, Iterator
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from projects.credentials import find_credential
from projects.models import Project, RestCredential


@pytest.fixture
def staff() -> Iterator[Client]:
    user = get_user_model().objects.create_superuser(f"staff-{secrets.token_hex(4)}", password=None)
    client = Client()
    client.force_login(user)
    yield client
    user.delete()


def admits(customer_id: str, secret: str) -> bool:
    found = find_credential(customer_id)
    return found is not None and found.has_secret(secret)


def test_the_command_shows_the_secret_once(app: str) -> None:
    out = StringIO()
    call_command("create_credential", app, "--name", "our server", stdout=out)
    said = dict(line.split(": ") for line in out.getvalue().splitlines())
    assert re.fullmatch("[0-9a-f]{32}", said["Customer id"])
    assert re.fullmatch("[0-9a-f]{64}", said["Customer secret"])
    assert admits(said["Customer id"], said["Customer secret"])
    assert not admits(said["Customer id"], said["Customer secret"][:-1] + "g")
    kept = RestCredential.objects.get(customer_id=said["Customer id"])
    assert (kept.name, kept.project.app_id) == ("our server", app)
    with pytest.raises(CommandError, match="No project"):
        call_command("create_credential", "0" * 32)
    with pytest.raises(CommandError, match="100 characters"):
        call_command("create_credential", app, "--name", "x" * 101)


def test_the_admin_shows_the_secret_once(staff: Client, make_project: Callable[..., Project]) -> None:
    project = make_project()
    data = {"project": project.pk, "name": "admin's"}
    page = staff.post(reverse("admin:projects_restcredential_add"), data, follow=True).content.decode()
    made = RestCredential.objects.get(project=project)
    secret = re.search("secret ([0-9a-f]{64})", page)
    assert secret is not None
    assert admits(made.customer_id, secret[1])
    change = reverse("admin:projects_restcredential_change", args=[made.pk])
    page = staff.get(change).content.decode()
    assert secret[1] not in page
    assert made.secret_hash not in page
    assert staff.post(change, {"name": "off"}).status_code == 302
    made.refresh_from_db()
    assert (made.name, made.is_active, made.project_id) == ("off", False, project.pk)
    assert not admits(made.customer_id, secret[1])


def test_a_credential_of_a_project_that_is_not_active_admits_nobody(make_project: Callable[..., Project]) -> None:
    project = make_project(is_active=False)
    out = StringIO()
    call_command("create_credential", project.app_id, stdout=out)
    customer_id = out.getvalue().splitlines()[0].removeprefix("Customer id: ")
    assert find_credential(customer_id) is None
