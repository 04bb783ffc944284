"""Which tokens are taken, for whom and how long (docs/contract.md 9): both formats, at each limit and past it."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from projects.tokens import CLOCK_SLACK_S, ExpiredToken, InvalidToken, Token, issue_007
from tests.support.tokens import APP_ID, CERTIFICATE, DAY_S, NOW_S, make_006, make_007, rtm, text, u16, verified

OTHER = "0" * 32
MAKERS: Final[dict[str, Callable[..., str]]] = {"006": make_006, "007": make_007}

both = pytest.mark.parametrize("version", MAKERS)


@both
def test_a_good_token_lets_its_user_in_until_it_runs_out(version: str) -> None:
    assert verified(MAKERS[version]()) == Token(version, (NOW_S + DAY_S) * 1000)


@both
@pytest.mark.parametrize("uid", ["a", "x" * 64, "a b!#$%&()+-:;<=.>?@[]^_{}|~,", " lead", "tab\t", "no\u00a0break"])
def test_any_permitted_user_id_may_be_in_it(version: str, uid: str) -> None:
    assert verified(MAKERS[version](uid), uid=uid).version == version


@both
@pytest.mark.parametrize("uid", ["bob", "an", "anna", "Ann", "ann ", ""])
def test_it_is_good_for_its_own_user_only(version: str, uid: str) -> None:
    with pytest.raises(InvalidToken):
        verified(MAKERS[version](), uid=uid)


@both
def test_a_token_of_another_app_id_is_refused(version: str) -> None:
    with pytest.raises(InvalidToken, match="another App ID"):
        verified(MAKERS[version](app_id=OTHER))
    with pytest.raises(InvalidToken, match="another App ID"):
        verified(MAKERS[version](), app_id=OTHER)


@both
def test_a_token_signed_with_another_certificate_is_refused(version: str) -> None:
    with pytest.raises(InvalidToken, match="not signed"):
        verified(MAKERS[version](certificate=OTHER))


@both
def test_the_primary_and_the_secondary_certificate_both_count(version: str) -> None:
    token = MAKERS[version]()
    for certificates in ((CERTIFICATE, OTHER), (OTHER, CERTIFICATE)):
        assert verified(token, certificates=certificates).version == version
    with pytest.raises(InvalidToken, match="not signed"):
        verified(token, certificates=(OTHER,))


@both
def test_without_a_certificate_no_token_is_good(version: str) -> None:
    with pytest.raises(InvalidToken, match="not signed"):
        verified(MAKERS[version](certificate=""), certificates=())


@both
def test_a_token_is_good_to_its_last_second_and_then_has_run_out(version: str) -> None:
    token = MAKERS[version]()
    end_ms = (NOW_S + DAY_S) * 1000
    assert verified(token, now_ms=end_ms - 1).expires_ms == end_ms
    with pytest.raises(ExpiredToken):
        verified(token, now_ms=end_ms)


@both
def test_a_token_that_has_run_out_and_is_wrong_is_wrong(version: str) -> None:
    with pytest.raises(InvalidToken):
        verified(MAKERS[version](certificate=OTHER), now_ms=(NOW_S + 2 * DAY_S) * 1000)


@both
@pytest.mark.parametrize("where", ["inner", "outer"])
def test_bytes_after_the_end_are_refused(version: str, where: str) -> None:
    with pytest.raises(InvalidToken, match="after its end"):
        verified(MAKERS[version](**{where: b"\x00"}))


@both
def test_a_token_that_is_cut_short_anywhere_is_refused(version: str) -> None:
    token = MAKERS[version]()
    for length in range(len(token)):
        with pytest.raises(InvalidToken):
            verified(token[:length])


@both
def test_a_token_with_any_one_character_changed_is_refused(version: str) -> None:
    """Save the spare bits of the last base64 character, which carry nothing."""
    token = MAKERS[version]()
    for place in range(len(token.rstrip("=")) - 1):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with pytest.raises(InvalidToken):
            verified(changed)


@pytest.mark.parametrize(
    "token", ["", "00", "005" + "A" * 90, "008eJw", "006", "007", "\x00\x00\x00", "nonsense", "ééé"]
)
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidToken):
        verified(token)


# 006


def test_a_006_token_is_measured_by_its_time_of_issue_and_not_by_its_privilege() -> None:
    for privilege_ts in (0, NOW_S - 1, NOW_S + 60):
        assert verified(make_006(privileges={1000: privilege_ts})).expires_ms == (NOW_S + DAY_S) * 1000


def test_a_006_token_may_come_from_a_clock_5_minutes_ahead_and_no_more() -> None:
    longest = NOW_S + DAY_S + CLOCK_SLACK_S
    assert verified(make_006(ts=longest)).expires_ms == longest * 1000
    with pytest.raises(InvalidToken, match="more than 24 hours"):
        verified(make_006(ts=longest + 1))


@pytest.mark.parametrize("privileges", [{}, {1: 0}, {999: 0, 1001: 0}])
def test_a_006_token_has_the_privilege_of_rtm(privileges: dict[int, int]) -> None:
    with pytest.raises(InvalidToken, match="login to RTM"):
        verified(make_006(privileges=privileges))


def test_a_006_token_may_have_other_privileges_too() -> None:
    assert verified(make_006(privileges={1: 5, 1000: 6, 2: 7})).version == "006"


def test_the_checksum_of_a_006_token_is_that_of_its_user() -> None:
    with pytest.raises(InvalidToken, match="another user"):
        verified(make_006(crc_of="bob"))


# 007


@pytest.mark.parametrize(("expire", "login_s", "lasts"), [(DAY_S, 60, 60), (60, DAY_S, 60), (60, 60, 60)])
def test_a_007_token_lasts_as_long_as_the_shorter_of_its_times(expire: int, login_s: int, lasts: int) -> None:
    token = make_007(expire=expire, services=[rtm(login_s=login_s)])
    assert verified(token).expires_ms == (NOW_S + lasts) * 1000
    with pytest.raises(ExpiredToken):
        verified(token, now_ms=(NOW_S + lasts) * 1000)


@pytest.mark.parametrize("times", [{"expire": 0}, {"services": [rtm(login_s=0)]}])
def test_a_007_token_for_no_time_has_run_out(times: dict[str, Any]) -> None:
    with pytest.raises(ExpiredToken):
        verified(make_007(**times))


def test_a_007_token_lasts_24_hours_at_most() -> None:
    assert verified(make_007(expire=DAY_S, services=[rtm(login_s=2**32 - 1)])).expires_ms == (NOW_S + DAY_S) * 1000
    with pytest.raises(InvalidToken, match="more than 24 hours"):
        verified(make_007(expire=DAY_S + 1))


def test_a_007_token_may_come_from_a_clock_5_minutes_ahead_and_no_more() -> None:
    assert verified(make_007(issued=NOW_S + CLOCK_SLACK_S)).version == "007"
    with pytest.raises(InvalidToken, match="in the future"):
        verified(make_007(issued=NOW_S + CLOCK_SLACK_S + 1))


RTC = (1, {1: 9, 2: 9, 3: 9, 4: 9}, text("channel") + text("123"))
FPA = (4, {1: 9}, b"")
CHAT = (5, {1: 9, 2: 9}, text("chat user"))
EDUCATION = (7, {1: 9, 2: 9, 3: 9}, text("room") + text("user") + u16(1))
UNKNOWN = (8, {1: 9}, text("what this is nobody here knows"))


@pytest.mark.parametrize(
    "services",
    [
        [RTC, rtm()],
        [rtm(), FPA, CHAT, EDUCATION],
        [RTC, rtm(), FPA, CHAT, EDUCATION, UNKNOWN],
        [rtm(), UNKNOWN, RTC],
    ],
)
def test_services_of_other_products_are_stepped_over(services: list[Any]) -> None:
    assert verified(make_007(services=services)).version == "007"


@pytest.mark.parametrize("services", [[], [RTC], [RTC, FPA, CHAT, EDUCATION]])
def test_without_the_service_of_rtm_a_007_token_is_refused(services: list[Any]) -> None:
    with pytest.raises(InvalidToken, match="no service of RTM"):
        verified(make_007(services=services))


def test_an_unknown_service_before_that_of_rtm_is_refused_clearly() -> None:
    with pytest.raises(InvalidToken, match="unknown type 8"):
        verified(make_007(services=[UNKNOWN, rtm()]))


def test_a_service_of_rtm_that_permits_no_login_is_refused() -> None:
    with pytest.raises(InvalidToken, match="login to RTM"):
        verified(make_007(services=[(2, {2: DAY_S}, text("ann"))]))


def test_two_services_of_rtm_are_refused() -> None:
    with pytest.raises(InvalidToken, match="two services"):
        verified(make_007(services=[rtm(), rtm()]))


@pytest.mark.parametrize(("count", "why"), [(0, "after its end"), (2, "cut short"), (65_535, "cut short")])
def test_a_wrong_number_of_services_is_refused(count: int, why: str) -> None:
    with pytest.raises(InvalidToken, match=why):
        verified(make_007(count=count))


def test_another_alphabet_in_a_007_token_is_no_error_of_ours() -> None:
    assert verified(make_007("张三"), uid="张三").version == "007"


# what we issue


def test_what_is_issued_is_taken() -> None:
    token = issue_007(app_id=APP_ID, certificate=CERTIFICATE, uid="ann", issued_s=NOW_S, valid_s=60, salt=7)
    assert verified(token) == Token("007", (NOW_S + 60) * 1000)
    with pytest.raises(InvalidToken):
        verified(token, uid="bob")


def test_what_is_issued_is_byte_for_byte_the_vendors() -> None:
    issued = issue_007(app_id=APP_ID, certificate=CERTIFICATE, uid="ann", issued_s=NOW_S, valid_s=DAY_S, salt=99)
    assert issued == make_007()
