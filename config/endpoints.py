"""The map from areas to servers that RTM_ENDPOINTS gives."""

from typing import Final
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

AREAS: Final = ("GLOBAL", "INDIA", "JAPAN", "ASIA", "EUROPE", "CHINA", "NORTH_AMERICA")
"""docs/contract.md 1."""


def parse_endpoints(text: str) -> list[tuple[str, str]]:
    """Areas and origins from `EUROPE=https://eu.example,CHINA=https://cn.example`; an area may have several.

    Raises ImproperlyConfigured.
    """
    return [_parse(item) for part in text.split(",") if (item := part.strip())]


def _parse(item: str) -> tuple[str, str]:
    area, _, url = (part.strip() for part in item.partition("="))
    if area not in AREAS:
        raise ImproperlyConfigured(f"RTM_ENDPOINTS: {item!r} does not begin with one of {', '.join(AREAS)}, and '='.")
    url = url.rstrip("/")
    if not _is_origin(url):
        raise ImproperlyConfigured(f"RTM_ENDPOINTS: {item!r} does not end in an address like https://host:port")
    return area, url


def _is_origin(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("https", "http")
            and bool(parts.hostname)
            and parts.port != 0
            and url.isascii()
            and f"{parts.scheme}://{parts.netloc}" == url
            and "@" not in parts.netloc
        )
    except ValueError:
        return False
