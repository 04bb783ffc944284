"""The pages of the REST interfaces' documents, and the way of a request beside Django's own handler."""

import re
import threading

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client

from realtime.rest.handler import is_rest
from realtime.runtime import Runtime
from tests.support.rest import Api

PAGES = ("/api/docs", "/dev/v2/project/docs")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_of_documents_asks_no_third_party(client: Client, path: str) -> None:
    page = client.get(path)
    assert page.status_code == 200
    html = page.content.decode()
    asked = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert any(address.endswith("swagger-ui-bundle.js") for address in asked)
    for address in asked:
        assert address.startswith(settings.STATIC_URL), address
        assert finders.find(address.removeprefix(settings.STATIC_URL)), address
    assert '"validatorUrl": null' in html


def test_what_goes_which_way() -> None:
    rest = ("/api/v1/projects/x/rooms", "/dev/v2/project/x/rtm/vendor/user_events", "/api/v1/projects/x/")
    pages = ("/api/docs", "/api/openapi.json", "/dev/v2/project/docs", "/dev/v2/project/openapi.json", "/", "/api/v1/")
    assert [is_rest(path) for path in (*rest, *pages)] == [True] * len(rest) + [False] * len(pages)


async def test_a_call_takes_no_thread_of_its_own(api: Api, runtime: Runtime) -> None:
    assert (await api.v1("GET", "rooms")).status == 200
    before = threading.active_count()
    for _ in range(20):
        assert (await api.v1("GET", "rooms/math/attributes")).status == 200
    assert threading.active_count() == before
