"""Poison: one append that the database refuses spoils no other."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from messaging.journal import Append
from messaging.models import Entry
from projects.models import Project
from tests.support.client import CallFailed, Client
from tests.support.journals import answers, make_append, make_committer, make_stream, rows

POISONS: list[dict[str, Any]] = [
    {"body": '"\ud800"'},  # a lone surrogate: there is no such UTF-8
    {"sender": None},
    {"event": None},
]
"""What both databases refuse."""
STRICT_POISONS: list[dict[str, Any]] = [{"body": '"\x00"'}, {"sender": "x" * 65}, {"event": "x" * 41}]
"""What PostgreSQL refuses besides."""


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()


def poisons() -> list[dict[str, Any]]:
    return POISONS + (STRICT_POISONS if connection.vendor == "postgresql" else [])


def poisoned(append: Append, fields: dict[str, Any]) -> Append:
    for name, value in fields.items():
        setattr(append, name, value)
    return append


def test_rule_poison_only_the_offender_fails(project: Project) -> None:
    committer = make_committer()
    for number, fields in enumerate(poisons()):
        stream, other = make_stream(project, f"room:{number}"), make_stream(project, f"room:other-{number}")
        group = [make_append(other if place % 3 == 0 else stream, f"m{place}") for place in range(11)]
        poisoned(group[7], fields)
        committer.commit(group)
        expected: list[int | str] = [1, 1, 2, 2, 3, 4, 3, "rejected", 5, 4, 6]
        assert answers(group) == expected, fields
        assert [seq for seq, *_ in rows(stream)] == [1, 2, 3, 4, 5, 6]
        assert [seq for seq, *_ in rows(other)] == [1, 2, 3, 4]


def test_rule_poison_every_offender_fails_however_many(project: Project) -> None:
    stream = make_stream(project)
    kinds = poisons()
    group = [make_append(stream, f"m{place}") for place in range(24)]
    for place in range(0, 24, 2):
        poisoned(group[place], kinds[place // 2 % len(kinds)])
    make_committer().commit(group)
    assert answers(group)[0::2] == ["rejected"] * 12
    assert answers(group)[1::2] == list(range(1, 13))
    stream.refresh_from_db()
    assert stream.head == 12


def test_rule_poison_the_error_is_for_good(project: Project) -> None:
    append = poisoned(make_append(make_stream(project), "m1"), POISONS[0])
    make_committer().commit([append])
    assert append.error is not None
    assert (append.error.kind.name, append.error.kind.retryable) == ("rejected", False)


def test_rule_poison_beside_a_repeated_id_and_an_expired_append(project: Project) -> None:
    stream = make_stream(project)
    committer = make_committer(monotonic_s=lambda: 100.0)
    first = make_append(stream, "m1")
    committer.commit([first])
    group = [
        make_append(stream, "m2"),
        make_append(stream, "m1"),
        poisoned(make_append(stream, "m3"), POISONS[0]),
        make_append(stream, "m4", expires_s=99.0),
        make_append(stream, "m2"),
        make_append(stream, "m5"),
    ]
    committer.commit(group)
    assert answers(group) == [2, 1, "rejected", "expired", 2, 3]
    assert [append.duplicate for append in group] == [False, True, False, False, True, False]
    assert [message_id for _, _, message_id in rows(stream)] == ["m1", "m2", "m5"]


def test_rule_poison_a_stream_whose_row_is_gone_fails_alone(project: Project) -> None:
    gone, stream = make_stream(project, "room:gone"), make_stream(project)
    group = [make_append(gone, "m1"), make_append(stream, "m2"), make_append(gone, "m3")]
    gone.delete()
    committer = make_committer()
    skipped = committer.commit(group)
    assert committer.commit(skipped, skip_locked=False) == []  # as its lane does
    assert answers(group) == ["unavailable", 1, "unavailable"]


async def test_rule_poison_valid_json_that_jsonb_would_refuse_is_a_message(
    open_client: Callable[..., Client], app: str
) -> None:
    ann = open_client()
    await ann.login(app, "ann")
    await ann.call("room.join", room="math")
    for number, text in enumerate(["a\x00b", "\uffff", "\x1f", "😀" * 10]):
        await ann.send("math", text, f"m{number}")
        assert (await ann.expect("room.sent"))["body"]["text"] == text


@pytest.mark.parametrize("message_id", ["", "m1\n", "a b", "ä", "x" * 65, "m1\x00", "../m"])
async def test_rule_poison_ids_are_matched_in_full(
    open_client: Callable[..., Client], app: str, message_id: str
) -> None:
    ann = open_client()
    await ann.login(app, "ann")
    await ann.call("room.join", room="math")
    with pytest.raises(CallFailed) as failed:
        await ann.send("math", "text", message_id)
    assert failed.value.name == "invalid_params"


def test_entries_are_kept_as_text(project: Project) -> None:
    assert Entry._meta.get_field("body").get_internal_type() == "TextField"
