"""A project as the gateway sees it."""

from collections.abc import Callable

import pytest

from projects.models import Project
from projects.selectors import get_tenant

LISTED = "https://app.example\nhttps://school.example:8443\n"


def test_an_active_project_is_found_by_its_app_id(make_project: Callable[..., Project]) -> None:
    project = make_project(recovery_window_s=60, limits={"sizes": {"rooms_per_session": 5}})
    tenant = get_tenant(project.app_id)
    assert tenant is not None
    assert (tenant.id, tenant.app_id) == (project.pk, project.app_id)
    assert tenant.recovery_window_ms == 60_000
    assert tenant.limits.sizes.rooms_per_session == 5


def test_an_inactive_project_is_not_found(make_project: Callable[..., Project]) -> None:
    assert get_tenant(make_project(is_active=False).app_id) is None


def test_an_app_id_is_found_in_its_own_letters_only(make_project: Callable[..., Project]) -> None:
    project = make_project(app_id="a" * 31 + "B")
    assert get_tenant(project.app_id) is not None
    assert get_tenant(project.app_id.lower()) is None
    project.delete()


@pytest.mark.parametrize(
    ("enabled", "listed", "origin", "accepted"),
    [
        (True, LISTED, "https://app.example", True),
        (True, LISTED, "https://school.example:8443", True),
        (True, LISTED, "https://school.example", False),
        (True, LISTED, "http://app.example", False),
        (True, LISTED, "https://app.example.evil.example", False),
        (True, LISTED, "null", False),
        (True, LISTED, None, True),  # a program that is no browser
        (True, "", "https://anywhere.example", True),
        (False, LISTED, "https://anywhere.example", True),  # for trying out
    ],
)
def test_an_origin_counts_once_there_is_a_list_and_a_certificate(
    make_project: Callable[..., Project], enabled: bool, listed: str, origin: str | None, accepted: bool
) -> None:
    project = make_project(certificate_enabled=enabled, allowed_origins=listed)
    tenant = get_tenant(project.app_id)
    assert tenant is not None
    assert tenant.accepts_origin(origin) is accepted
