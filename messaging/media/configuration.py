"""What `manage.py check` says of the settings of a bucket (docs/media.md)."""

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as Warn

BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
PREFIX: Final = re.compile(r"(?!\.)[\w.-]+(/(?!\.)[\w.-]+)*", re.ASCII)
OTHERS: Final = ("S3_ENDPOINT", "S3_REGION", "S3_ACCESS_KEY", "S3_SECRET_KEY", "S3_PREFIX", "S3_PATH_STYLE")


@register()
def check_bucket(**_: Any) -> list[CheckMessage]:
    return list(_half_set() if settings.S3_BUCKET else _set_for_nothing())


@register(Tags.security, deploy=True)
def check_bucket_of_a_deployment(**_: Any) -> list[CheckMessage]:
    if not settings.S3_BUCKET or not _is_address(settings.S3_ENDPOINT):
        return []
    return list(_unsafe(settings.S3_ENDPOINT))


def _set_for_nothing() -> Iterator[CheckMessage]:
    if others := [name for name in OTHERS if getattr(settings, name)]:
        yield Error(
            f"S3_BUCKET is empty, and set for it is {', '.join(others)}: files would go to the local disk.",
            hint="Name the bucket, or empty the others.",
            id="media.E001",
        )


def _half_set() -> Iterator[CheckMessage]:
    if not BUCKET.fullmatch(settings.S3_BUCKET):
        yield Error(
            "S3_BUCKET is no name of a bucket: those are 3 to 63 small letters, digits, dots and hyphens.",
            id="media.E002",
        )
    if bool(settings.S3_ACCESS_KEY) != bool(settings.S3_SECRET_KEY):
        set_one, other = ("S3_ACCESS_KEY", "S3_SECRET_KEY")[:: 1 if settings.S3_ACCESS_KEY else -1]
        yield Error(
            f"{set_one} is set without {other}.",
            hint="Set both; or neither, and they are found as Amazon's tools find them.",
            id="media.E003",
        )
    if settings.S3_ENDPOINT and not _is_address(settings.S3_ENDPOINT):
        yield Error("S3_ENDPOINT is no address like https://s3.example:9000.", id="media.E004")
    if settings.S3_PREFIX and not PREFIX.fullmatch(settings.S3_PREFIX):
        yield Error(
            "S3_PREFIX is no folder like rostrum/media: letters, digits, dots, hyphens, and slashes between.",
            id="media.E005",
        )


def _unsafe(endpoint: str) -> Iterator[CheckMessage]:
    parts = urlsplit(endpoint)
    if settings.HTTPS and parts.scheme != "https":
        yield Warn(
            "S3_ENDPOINT begins with http: pages that come by HTTPS may neither send files there nor show them.",
            id="media.W001",
        )
    if parts.hostname in settings.ALLOWED_HOSTS:
        yield Warn(
            "S3_ENDPOINT has a host name of ALLOWED_HOSTS: what users send would come from the service's own host.",
            hint="Give the bucket a host name of its own.",
            id="media.W002",
        )


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        known = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
        return known and text.isascii() and not (parts.query or parts.fragment or "@" in parts.netloc)
    except ValueError:
        return False
