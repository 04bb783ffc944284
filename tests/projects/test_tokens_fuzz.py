"""Whatever bytes come as a token: one kind of error, little time, little memory."""

import base64
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.tokens import MAX_CHARS, InvalidToken, Token, TokenError, verify
from projects.tokens.access_token_007 import MAX_BYTES
from tests.support.tokens import APP_ID, CERTIFICATE, NOW_S, make_006, make_007, verified

pytestmark = pytest.mark.shapeless

many = settings(max_examples=1_000)


def look_at(token: str) -> Token | None:
    """None when it is refused in the one way there is."""
    try:
        found: Token = verified(token)
    except TokenError:
        return None
    return found


def packed(content: bytes, version: str) -> str:
    if version == "006":
        return "006" + APP_ID + base64.b64encode(content).decode()
    return "007" + base64.b64encode(zlib.compress(content)).decode()


versions = st.sampled_from(["006", "007"])


@many
@given(st.text(max_size=300))
def test_random_text_is_no_token(text: str) -> None:
    assert look_at(text) is None
    for prefix in ("006", "006" + APP_ID, "007"):
        assert look_at(prefix + text) is None


@many
@given(versions, st.binary(max_size=400))
def test_random_bytes_in_a_tokens_clothes_are_no_token(version: str, content: bytes) -> None:
    assert look_at(packed(content, version)) is None


@many
@given(versions, st.data())
def test_a_token_with_bytes_changed_put_in_or_left_out_is_no_token(version: str, data: st.DataObject) -> None:
    token = make_006() if version == "006" else make_007()
    content = base64.b64decode(token[35:] if version == "006" else token[3:])
    if version == "007":
        content = zlib.decompress(content)
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 8)))
    changed = content[:start] + data.draw(st.binary(max_size=8)) + content[end:]
    if changed != content:
        assert look_at(packed(changed, version)) is None
    else:
        assert look_at(packed(changed, version)) is not None


@many
@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=40), st.integers(0, 2**53))
def test_whatever_the_other_facts_are(uid: str, app_id: str, certificate: str, now_ms: int) -> None:
    for token in (make_006(), make_007()):
        for facts in ({"uid": uid}, {"app_id": app_id}, {"certificates": (certificate,)}):
            with pytest.raises(InvalidToken):
                verified(token, **facts, now_ms=now_ms)


def test_a_token_that_would_inflate_beyond_8_kib_is_refused_and_takes_no_memory() -> None:
    for size in (MAX_BYTES + 1, 3_000_000):
        bomb = packed(b"\x00" * size, "007")
        assert len(bomb) <= MAX_CHARS
        tracemalloc.start()
        with pytest.raises(InvalidToken, match="too large"):
            verified(bomb)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 128 * 1024, size


def test_a_token_of_just_8_kib_is_looked_at() -> None:
    with pytest.raises(InvalidToken, match="another App ID"):
        verified(packed(b"\x00" * MAX_BYTES, "007"))


def test_a_token_that_is_too_long_is_not_looked_at() -> None:
    token = "006" + APP_ID + "A" * MAX_CHARS
    with pytest.raises(InvalidToken, match="too large"):
        verify(token, app_id=APP_ID, certificates=(CERTIFICATE,), uid="ann", now_ms=NOW_S * 1000)
