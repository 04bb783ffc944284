"""`manage.py create_project`."""

import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from projects.models import Project
from projects.services import create_project


def run(*arguments: str) -> dict[str, str]:
    """What the command says, by its labels."""
    out = StringIO()
    call_command("create_project", *arguments, stdout=out)
    return dict(line.split(": ") for line in out.getvalue().splitlines())


def test_it_makes_a_project_and_prints_its_app_id_and_certificate() -> None:
    said = run("Night school")
    project = Project.objects.get(app_id=said["App ID"])
    assert project.name == "Night school"
    assert project.certificate == said["App certificate"]
    assert re.fullmatch("[0-9a-f]{32}", project.certificate)
    assert not project.certificate_enabled
    assert said["Logins without a token"] == "accepted"


def test_it_can_enable_the_certificate_at_once() -> None:
    said = run("Night school", "--enable-certificate")
    assert Project.objects.get(app_id=said["App ID"]).certificate_enabled
    assert said["Logins without a token"] == "refused"


def test_each_project_has_a_certificate_of_its_own() -> None:
    assert create_project(name="a").certificate != create_project(name="b").certificate


def test_it_takes_an_app_id_that_clients_have_already_once() -> None:
    app_id = create_project(name="other").app_id[::-1].upper()
    assert run("Moved here", "--app-id", app_id)["App ID"] == app_id
    with pytest.raises(CommandError, match="already exists"):
        run("Again", "--app-id", app_id)


@pytest.mark.parametrize("arguments", [("",), ("x" * 101,), ("Name", "--app-id", "short")])
def test_it_refuses_what_cannot_be_and_makes_nothing(arguments: tuple[str, ...]) -> None:
    before = Project.objects.count()
    with pytest.raises(CommandError):
        run(*arguments)
    assert Project.objects.count() == before
