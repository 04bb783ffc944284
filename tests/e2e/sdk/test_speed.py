"""A flood of messages: the figures are `make bench-sdk`'s; here, that every one is handled, in order."""

from playwright.sync_api import Browser

from benchmarks.sdk.run import Case, measure, open_page


def test_ten_thousand_messages_a_second_all_arrive_in_order(chromium: Browser) -> None:
    page = open_page(chromium)
    figures = measure(page, Case("large frames", frames=10, seconds=2))
    print(figures)
    assert figures["received"] == 20_000
    assert figures["inOrder"]
    assert figures["acknowledgements"] > 0
    page.close()
