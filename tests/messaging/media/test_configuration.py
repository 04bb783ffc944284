"""What `manage.py check` says of a bucket that is half configured, or dangerously."""

from typing import Any

import pytest
from django.conf import LazySettings
from django.core.checks import run_checks

pytestmark = pytest.mark.shapeless

COMPLETE = {"S3_BUCKET": "rostrum-media", "S3_ENDPOINT": "https://s3.example:9000", "S3_REGION": "eu"}
KEYS = {"S3_ACCESS_KEY": "access", "S3_SECRET_KEY": "secret"}


def said(settings: LazySettings, changed: dict[str, Any]) -> dict[str, str]:
    """What it says of the media, by id."""
    for name, value in changed.items():
        setattr(settings, name, value)
    found = run_checks(include_deployment_checks=True)
    return {message.id: message.msg for message in found if message.id and message.id.startswith("media.")}


@pytest.mark.parametrize(
    "complete",
    [
        {},
        COMPLETE,
        {**COMPLETE, **KEYS, "S3_PREFIX": "rostrum/media", "S3_PATH_STYLE": True},
        {"S3_BUCKET": "only-the-bucket"},
        {**COMPLETE, "S3_ENDPOINT": "http://10.0.0.1:7480", "HTTPS": False},
    ],
)
def test_what_is_complete_is_taken(settings: LazySettings, complete: dict[str, Any]) -> None:
    assert said(settings, complete) == {}


@pytest.mark.parametrize(
    ("changed", "said_by", "named"),
    [
        ({"S3_ENDPOINT": "https://s3.example", **KEYS}, "media.E001", "S3_ENDPOINT, S3_ACCESS_KEY, S3_SECRET_KEY"),
        ({"S3_PATH_STYLE": True}, "media.E001", "S3_PATH_STYLE"),
        ({**COMPLETE, "S3_BUCKET": "My_Bucket"}, "media.E002", "S3_BUCKET"),
        ({**COMPLETE, "S3_BUCKET": "bucket/folder"}, "media.E002", "S3_BUCKET"),
        ({**COMPLETE, "S3_ACCESS_KEY": "access"}, "media.E003", "S3_ACCESS_KEY is set without S3_SECRET_KEY"),
        ({**COMPLETE, "S3_SECRET_KEY": "secret"}, "media.E003", "S3_SECRET_KEY is set without S3_ACCESS_KEY"),
        ({**COMPLETE, "S3_ENDPOINT": "s3.example"}, "media.E004", "S3_ENDPOINT"),
        ({**COMPLETE, "S3_ENDPOINT": "https://access:secret@s3.example"}, "media.E004", "S3_ENDPOINT"),
        ({**COMPLETE, "S3_ENDPOINT": "https://s3.example:port"}, "media.E004", "S3_ENDPOINT"),
        ({**COMPLETE, "S3_PREFIX": "/rostrum/"}, "media.E005", "S3_PREFIX"),
        ({**COMPLETE, "S3_PREFIX": "../rostrum"}, "media.E005", "S3_PREFIX"),
        ({**COMPLETE, "S3_ENDPOINT": "http://s3.example", "HTTPS": True}, "media.W001", "http:"),
        ({**COMPLETE, "ALLOWED_HOSTS": ["s3.example"]}, "media.W002", "ALLOWED_HOSTS"),
    ],
)
def test_what_is_half_set_or_dangerous_is_named(
    settings: LazySettings, changed: dict[str, Any], said_by: str, named: str
) -> None:
    found = said(settings, changed)
    assert list(found) == [said_by]
    assert named in found[said_by]
    assert "secret@" not in found[said_by]
