"""The plain page as the server makes it."""

import json
import re
from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.test import Client

from projects.demo import DEMO_APP_ID
from projects.models import Project
from tests.support.media import use_storage
from tests.support.s3 import s3_at


@pytest.fixture
def demo() -> Iterator[None]:
    call_command("demo", verbosity=0)
    yield
    Project.objects.filter(app_id=DEMO_APP_ID).delete()


@pytest.mark.usefixtures("demo")
def test_the_page_knows_the_app_and_fills_in_what_the_link_says() -> None:
    response = Client().get("/", {"room": "math", "name": 'Ann "<b>"'})
    page = response.content.decode()
    config = re.search(r'<script id="config" type="application/json">(.*?)</script>', page)
    assert config is not None
    assert json.loads(config[1])["app"] == DEMO_APP_ID
    assert 'value="math"' in page
    assert 'value="Ann &quot;&lt;b&gt;&quot;"' in page


def test_without_the_demo_project_the_page_says_how_to_make_it() -> None:
    page = Client().get("/").content.decode()
    assert "manage.py demo" in page
    assert "plain.js" not in page


@pytest.mark.usefixtures("demo")
def test_nothing_is_inline_and_nothing_comes_from_elsewhere() -> None:
    response = Client().get("/", headers={"host": "127.0.0.1"})
    page = response.content.decode()
    assert re.findall(r"<script(?![^>]*(?:\ssrc=|application/json))", page) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=", page) == []
    assert re.findall(r'(?:src|href)="(?!/|#|\?)[^"]*"', page) == []
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "ws://127.0.0.1" in policy
    assert "unsafe" not in policy


@pytest.mark.usefixtures("demo")
def test_images_come_from_where_the_files_are_and_from_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def images() -> str:
        policy = Client().get("/").headers["Content-Security-Policy"]
        return next(part for part in policy.split("; ") if part.startswith("img-src"))

    assert images() == "img-src 'self'"
    use_storage(monkeypatch, s3_at("https://s3.example:9000", "files"))
    assert images() == "img-src 'self' https://s3.example:9000"


@pytest.mark.parametrize(("language", "title"), [("en", "Join a room"), ("zh-CN", "进入房间")])
@pytest.mark.usefixtures("demo")
def test_the_page_speaks_the_readers_language(language: str, title: str) -> None:
    page = Client(headers={"accept-language": language}).get("/").content.decode()
    assert title in page


@pytest.mark.parametrize(("cookie", "attribute"), [("dark", 'data-theme="dark"'), ('"><script>', None)])
def test_the_chosen_theme_is_there_from_the_first_byte(cookie: str, attribute: str | None) -> None:
    client = Client()
    client.cookies["theme"] = cookie
    page = client.get("/").content.decode()
    assert ("data-theme" in page) == (attribute is not None)
    assert attribute is None or attribute in page
