"""A flood of messages: how fast they are handled `make bench-sdk` measures; here, that every one is, in order."""

from playwright.sync_api import Browser

from benchmarks.sdk.run import Case, measure, open_page


def test_a_flood_of_messages_arrives_whole_and_in_order(chromium: Browser) -> None:
    page = open_page(chromium)
    figures = measure(page, Case("large frames", frames=10, seconds=2))
    assert figures["received"] == 20_000
    assert figures["inOrder"]
    assert figures["acknowledgements"] > 0
    page.close()
