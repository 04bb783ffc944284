"""Issuing tokens and rotating certificates, by service and by command."""

from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from projects.models import Project
from projects.selectors import get_tenant
from projects.services import drop_secondary_certificate, issue_token, rotate_certificate
from projects.tokens import InvalidToken, Token
from tests.support.tokens import CERTIFICATE, DAY_S, NOW_S

NOW = datetime.fromtimestamp(NOW_S, UTC)


def run(name: str, *arguments: str) -> str:
    out = StringIO()
    call_command(name, *arguments, stdout=out)
    return out.getvalue().strip()


def let_in(project: Project, token: str, uid: str = "ann", now_ms: int = NOW_S * 1000) -> Token:
    """What a login would make of the token."""
    tenant = get_tenant(project.app_id)
    assert tenant is not None
    return tenant.verify_token(token, uid, now_ms)


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project(certificate=CERTIFICATE)


@pytest.mark.parametrize("valid_s", [1, 600, DAY_S])
def test_an_issued_token_lets_its_user_in_for_the_time_it_was_issued_for(project: Project, valid_s: int) -> None:
    issued = issue_token(project=project, uid="ann", now=NOW, valid_s=valid_s)
    assert issued.expires_at == datetime.fromtimestamp(NOW_S + valid_s, UTC)
    assert let_in(project, issued.token) == Token("007", (NOW_S + valid_s) * 1000)
    with pytest.raises(InvalidToken):
        let_in(project, issued.token, "bob")


def test_two_tokens_are_never_the_same(project: Project) -> None:
    tokens = {issue_token(project=project, uid="ann", now=NOW).token for _ in range(10)}
    assert len(tokens) == 10


@pytest.mark.parametrize(
    "wrong",
    [{"uid": ""}, {"uid": "x" * 65}, {"uid": "null"}, {"uid": "张三"}, {"valid_s": 0}, {"valid_s": DAY_S + 1}],
)
def test_no_token_is_issued_that_would_let_nobody_in(project: Project, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        issue_token(**{"project": project, "uid": "ann", "now": NOW, **wrong})


def test_without_a_certificate_no_token_is_issued(make_project: Callable[..., Project]) -> None:
    with pytest.raises(ValidationError, match="no certificate"):
        issue_token(project=make_project(certificate=""), uid="ann", now=NOW)


def test_a_rotation_keeps_one_certificate_before_the_new_one(project: Project) -> None:
    tokens = []
    for _ in range(3):
        tokens.append(issue_token(project=project, uid="ann", now=NOW).token)
        before, project = project.certificate, rotate_certificate(project_id=project.pk)
        assert project.secondary_certificate == before != project.certificate
    with pytest.raises(InvalidToken):
        let_in(project, tokens[1])
    assert let_in(project, tokens[2])
    drop_secondary_certificate(project_id=project.pk)
    with pytest.raises(InvalidToken):
        let_in(project, tokens[2])
    assert let_in(project, issue_token(project=project, uid="ann", now=NOW).token)


def test_certificates_do_not_show_in_what_is_logged_of_a_project(project: Project) -> None:
    tenant = get_tenant(rotate_certificate(project_id=project.pk).app_id)
    assert tenant is not None
    assert len(tenant.certificates) == 2
    assert not any(certificate in repr(tenant) for certificate in tenant.certificates)


def test_a_certificate_that_is_not_there_cannot_be_enabled(project: Project) -> None:
    project.certificate, project.certificate_enabled = "", True
    with pytest.raises(ValidationError, match="no certificate"):
        project.full_clean()


# Commands


def test_issue_token_prints_a_token(project: Project) -> None:
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    assert let_in(project, run("issue_token", project.app_id, "ann"), now_ms=now_ms).expires_ms > now_ms + 86_000_000
    short = let_in(project, run("issue_token", project.app_id, "ann", "--seconds=60"), now_ms=now_ms)
    assert short.expires_ms < now_ms + 100_000


def test_rotate_certificate_prints_the_new_one(project: Project) -> None:
    said = run("rotate_certificate", project.app_id)
    project.refresh_from_db()
    assert said == f"App certificate: {project.certificate}"
    assert project.secondary_certificate == CERTIFICATE
    run("rotate_certificate", project.app_id, "--drop-secondary")
    project.refresh_from_db()
    assert (said, project.secondary_certificate) == (f"App certificate: {project.certificate}", "")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("issue_token", ["ann"]),
        ("rotate_certificate", []),
        ("kick", ["ann"]),
        ("ban", ["ann"]),
        ("lift_ban", ["ann"]),
    ],
)
def test_a_command_says_that_there_is_no_such_project(name: str, arguments: list[str]) -> None:
    with pytest.raises(CommandError, match="No project has the App ID"):
        run(name, "0" * 31 + "x", *arguments)


@pytest.mark.parametrize("arguments", [["null"], ["ann", "--seconds=0"], ["ann", "--seconds=86401"]])
def test_issue_token_says_what_cannot_be(project: Project, arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        run("issue_token", project.app_id, *arguments)
