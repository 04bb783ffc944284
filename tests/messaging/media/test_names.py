"""File names: in any language, and never a path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.media.names import MAX_NAME_BYTES, clean_name

pytestmark = pytest.mark.shapeless


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("blackboard.png", "blackboard.png"),
        ("报告 第1章.pdf", "报告 第1章.pdf"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("C:\\Users\\ann\\photo.jpg", "photo.jpg"),
        ("..", "file"),
        ("", "file"),
        ("a/", "file"),
        ("\x00\r\nSet-Cookie: a=b", "Set-Cookie: a=b"),
        ("gpj.\u202eexe", "gpj.exe"),
        ("cafe\u0301.txt", "café.txt"),
        ("x" * 300 + ".png", "x" * 251 + ".png"),
        ("字" * 100, "字" * 85),
    ],
)
def test_names(name: str, clean: str) -> None:
    assert clean_name(name) == clean


@given(st.text(max_size=400))
def test_whatever_comes_is_a_name(name: str) -> None:
    clean = clean_name(name)
    assert 0 < len(clean.encode()) <= MAX_NAME_BYTES
    assert not {"/", "\\", "\x00", "\r", "\n", "\u202e"} & set(clean)
    assert clean_name(clean) == clean
