"""The file in a form, however the form is cut on its way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.media.form import FilePart, FormError, boundary_of
from tests.support.media import form_body

pytestmark = pytest.mark.shapeless

contents = st.one_of(
    st.binary(max_size=300),
    st.lists(st.sampled_from([b"\r", b"\n", b"-", b"--", b"\r\n--", b"\r\n------brows", b"x"])).map(b"".join),
)


@given(content=contents, cuts=st.lists(st.integers(1, 50), max_size=40), value=st.text("ab\r\n-", max_size=20))
def test_the_content_comes_whole_however_it_is_cut(content: bytes, cuts: list[int], value: str) -> None:
    content_type, body = form_body(content, {"policy": value, "filename": "file"})
    part = FilePart(boundary_of(content_type))
    found = b""
    for cut in cuts:
        found += part.feed(body[:cut])
        body = body[cut:]
    found += part.feed(body)
    assert (found, part.complete) == (content, True)


@given(body=st.binary(max_size=200), boundary=st.sampled_from([b"b", b"--", b"\r\n"]))
def test_whatever_comes_ends_in_an_answer(body: bytes, boundary: bytes) -> None:
    part = FilePart(boundary)
    try:
        found = part.feed(b"--" + boundary + body)
    except FormError:
        return
    assert len(found) <= len(body)


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('Multipart/Form-Data; charset=utf-8; boundary="a b?c"', b"a b?c"),
        ("multipart/form-data;boundary=----WebKitFormBoundaryx1", b"----WebKitFormBoundaryx1"),
    ],
)
def test_boundaries_as_browsers_write_them(content_type: str, boundary: bytes) -> None:
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize("content_type", ["", "text/plain", "multipart/form-data", "multipart/form-data; boundary="])
def test_no_boundary(content_type: str) -> None:
    with pytest.raises(FormError):
        boundary_of(content_type)
