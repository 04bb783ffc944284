"""The browser SDK as this service gives it out: to any origin, anew or for ever, whole or compressed."""

import asyncio
import base64
import gzip
import hashlib
import http.client
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client

from tests.support.server_process import server_process

pytestmark = pytest.mark.shapeless

DIST = Path(settings.BASE_DIR) / "static" / "rtm" / "dist"
PACKAGE = json.loads((DIST / "package.json").read_text())
PINNED = f"{PACKAGE['version']}-{PACKAGE['build']}"
BUNDLES = ["rtm-sdk.js", "rtm-sdk.mjs", "ar-rtm-sdk.mjs", "rtm-sdk.legacy.js"]
REQUIRED = ["rtm-sdk.cjs", "ar-rtm-sdk.cjs", "rtm-sdk.d.cts", "ar-rtm-sdk.d.cts"]
"""For programs that require the package: no browser loads them."""
FOREVER = "public, max-age=31536000, immutable"


def assert_open(headers: Mapping[str, str] | http.client.HTTPMessage) -> None:
    """Pages of any origin may load it, also those that ask for isolation."""
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"


def get(client: Client, path: str, **headers: str) -> Any:
    response = client.get(f"/static/rtm/{path}", headers={"origin": "https://app.example", **headers})
    assert_open(response.headers)
    return response


@pytest.mark.parametrize("name", BUNDLES)
def test_the_plain_address_is_asked_for_anew_each_time(client: Client, name: str) -> None:
    response = get(client, f"dist/{name}")
    assert (response.status_code, response.content) == (200, (DIST / name).read_bytes())
    assert response["Cache-Control"] == "no-cache"
    unchanged = get(client, f"dist/{name}", if_none_match=response["ETag"])
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged["Cache-Control"] == "no-cache"
    assert get(client, f"dist/{name}", if_none_match='"another"').status_code == 200


@pytest.mark.parametrize("name", BUNDLES)
def test_the_address_with_the_build_holds_for_ever(client: Client, name: str) -> None:
    response = get(client, f"{PINNED}/{name}")
    assert (response.status_code, response.content) == (200, (DIST / name).read_bytes())
    assert response["Cache-Control"] == FOREVER
    assert response["ETag"] == get(client, f"dist/{name}")["ETag"]
    assert get(client, f"{PINNED}/{name}", if_none_match=response["ETag"]).status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        f"{PACKAGE['version']}/rtm-sdk.js",  # other bytes tomorrow
        f"{PACKAGE['version']}-000000000000/rtm-sdk.js",
        f"{PINNED}/nothing.js",
        "dist/nothing.js",
        f"{PINNED}/",
        "x",
    ],
)
def test_what_is_not_there_is_told_to_any_origin_and_not_for_long(client: Client, path: str) -> None:
    response = get(client, path)
    assert (response.status_code, response["Cache-Control"]) == (404, "no-cache")


def test_another_method_is_refused_to_any_origin(client: Client) -> None:
    response = client.post("/static/rtm/dist/rtm-sdk.js")
    assert response.status_code == 405
    assert_open(response.headers)


def test_the_build_leads_nowhere_else(client: Client) -> None:
    for path in (f"{PINNED}/../session/session.js", f"{PINNED}/%2e%2e/session/session.js", f"{PINNED}//rtm-sdk.js"):
        assert get(client, path).status_code == 404


def test_modules_are_open_too_and_the_rest_is_as_before(client: Client) -> None:
    assert get(client, "session/session.js").status_code == 200
    page = client.get("/static/classroom/plain.css")
    assert "Cross-Origin-Resource-Policy" not in page.headers


def test_each_file_says_what_it_is(client: Client) -> None:
    types = {path.name: get(client, f"dist/{path.name}")["Content-Type"] for path in DIST.iterdir()}
    assert {name: kind for name, kind in types.items() if not name.endswith(".map")} == {
        **dict.fromkeys(BUNDLES, 'text/javascript; charset="utf-8"'),
        **dict.fromkeys(("rtm-sdk.d.ts", "ar-rtm-sdk.d.ts"), 'text/plain; charset="utf-8"'),
        **dict.fromkeys(REQUIRED, "application/octet-stream"),
        "package.json": "application/json",
        "LICENSE": "application/octet-stream",
    }
    assert {kind for name, kind in types.items() if name.endswith(".map")} == {"application/json"}


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes


def fetch(url: str, path: str, **headers: str) -> Answer:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", f"/static/rtm/{path}", headers={"Host": "localhost", **named})
        response = connection.getresponse()
        assert_open(response.headers)
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def assert_delivers(url: str, *, compressed: bool) -> None:
    for name in BUNDLES:
        content = (DIST / name).read_bytes()
        for folder, cached in (("dist", "no-cache"), (PINNED, FOREVER)):
            path = f"{folder}/{name}"
            plain = fetch(url, path)
            assert (plain.status, plain.body, plain.headers["Cache-Control"]) == (200, content, cached)
            assert fetch(url, path, If_None_Match=plain.headers["ETag"]).status == 304
            packed = fetch(url, path, Accept_Encoding="gzip, br")
            assert packed.headers.get("Content-Encoding") == ("gzip" if compressed else None)
            assert (gzip.decompress(packed.body) if compressed else packed.body) == content
    assert fetch(url, "0.0.0/rtm-sdk.js").status == 404


@pytest.mark.parametrize("server", ["uvicorn", "daphne"])
async def test_a_server_gives_out_what_is_collected(collected: dict[str, str], server: str) -> None:
    async with server_process("manage.py", "serve", "--port", "0", "--server", server, env=collected) as process:
        await asyncio.to_thread(assert_delivers, process.url, compressed=True)


@pytest.mark.parametrize("server", ["uvicorn", "daphne"])
async def test_a_server_for_development_gives_out_what_is_there(server: str) -> None:
    async with server_process("manage.py", "serve", "--port", "0", "--server", server) as process:
        await asyncio.to_thread(assert_delivers, process.url, compressed=False)


def test_the_documents_digests_are_those_of_the_bundles() -> None:
    page = (Path(settings.BASE_DIR) / "docs" / "sdk-integrity.md").read_text()
    told = dict(re.findall(r"^\| `(\S+)` \| [\d,]+ \| `(\S+)` \|$", page, re.MULTILINE))
    digests = {name: hashlib.sha384((DIST / name).read_bytes()).digest() for name in BUNDLES}
    assert told == {name: f"sha384-{base64.b64encode(digest).decode()}" for name, digest in digests.items()}
    assert f"/static/rtm/{PINNED}/rtm-sdk.js" in page
