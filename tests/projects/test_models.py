"""What a project may be."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from projects.models import Project


def test_a_new_project_gets_an_app_id_of_the_vendors_form(make_project: Callable[..., Project]) -> None:
    app_ids = {make_project().app_id for _ in range(3)}
    assert len(app_ids) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", app_id) for app_id in app_ids)


def test_two_projects_never_share_an_app_id(make_project: Callable[..., Project]) -> None:
    taken = make_project().app_id
    with pytest.raises(IntegrityError):
        make_project(app_id=taken)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("app_id", "a" * 31),
        ("app_id", "a" * 33),
        ("app_id", "a" * 31 + "-"),
        ("app_id", "a" * 32 + "\n"),
        ("app_id", "é" * 32),
        ("certificate", "g" * 32),
        ("certificate", "a" * 31),
        ("certificate", "A" * 32),
        ("certificate", "a" * 32 + "\n"),
        ("name", ""),
        ("limits", []),
        ("limits", {"rates": None}),
        ("limits", {"rates": []}),
        ("limits", {"sizes": {"rooms_per_session": 65}}),
        ("retention_days", 0),
        ("allowed_origins", "app.example"),
        ("allowed_origins", "https://app.example/"),
        ("allowed_origins", "https://app.example\nhttps://App.example"),
        ("allowed_origins", "https://app.example, https://other.example"),
        ("allowed_origins", "*"),
    ],
)
def test_a_field_that_cannot_be_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        Project(**{"name": "test", field: value}).full_clean()
    assert set(refused.value.message_dict) == {field}


@pytest.mark.parametrize(
    "origins",
    ["", "https://app.example", "http://127.0.0.1:8000\r\nhttps://[::1]:8443\n", "capacitor://localhost"],
)
def test_origins_are_listed_as_browsers_send_them(origins: str) -> None:
    Project(name="test", allowed_origins=origins).full_clean()


@pytest.mark.parametrize("app_id", ["A" * 32, "0123456789" * 3 + "aZ"])
def test_an_app_id_that_clients_have_already_is_kept(app_id: str) -> None:
    Project(name="test", app_id=app_id, certificate="0123456789abcdef" * 2).full_clean()
