"""Two pages, and fifty clients: everybody gets all of everybody else's messages once, in the server's order."""

import pytest
from playwright.sync_api import Browser

from projects.demo import DEMO_APP_ID
from tests.e2e.sdk.crowd import Crowd, check_ledger, context_of
from tests.e2e.server import ServerProcess


# Fifty pages of Chromium are too much for two processor cores: ten clients, each with a socket of its own, share one.
@pytest.mark.parametrize(
    ("pages", "clients", "messages"), [(2, 1, 100), (5, 10, 6)], ids=["two pages", "fifty clients"]
)
def test_everybody_gets_everything_once_in_the_server_s_order(
    chromium: Browser, own_server: ServerProcess, pages: int, clients: int, messages: int
) -> None:
    crowd = Crowd(context_of(chromium), DEMO_APP_ID)
    for number in range(pages):
        page = crowd.open(own_server.url)
        for client in range(clients):
            crowd.enter(f"member{number}-{client}", page)
    for uid in crowd.pages:
        crowd.on(uid, "for (let left = given[0]; left > 0; left -= 1) member.toRoom();", messages)
    crowd.finish()
    records, log = check_ledger(crowd, own_server)
    everybody = pages * clients
    assert len(log.streams["room:crowd"]) == everybody * (messages + 1)
    assert [len(record.got) for record in records] == [(everybody - 1) * (messages + 1)] * everybody
    assert crowd.troubles == []
    crowd.context.close()
