"""The ledger finds each kind of lie."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.e2e.sdk.ledger import Got, Log, Record, Sent, Stored, discrepancies

ROOM, ANNS, BOBS = "room:r", "inbox:ann", "inbox:bob"

ANN = Record(
    "ann",
    ["r"],
    sent=[
        Sent(ROOM, "a1", "ok"),
        Sent(ROOM, "a2", "2"),
        Sent(ROOM, "a3", "ok"),
        Sent(BOBS, "p1", "ok", received=True),
        Sent(BOBS, "p2", "ok", received=False),
        Sent(BOBS, "p3", "ok", received=True),
        Sent(BOBS, "p4", "ok", received=False, is_kept=True),
    ],
    got=[Got(ROOM, "bob", "b1")],
)
BOB = Record(
    "bob",
    ["r"],
    sent=[Sent(ROOM, "b1", "ok")],
    got=[
        Got(ROOM, "ann", "a1"),
        Got(BOBS, "ann", "p1"),
        Got(ROOM, "ann", "a3"),
        Got(BOBS, "ann", "p3"),
        Got(BOBS, "ann", "p4"),
    ],
)
STORED: Mapping[str, Sequence[Stored]] = {
    ROOM: [Stored("ann", "a1"), Stored("bob", "b1"), Stored("ann", "a3")],
    BOBS: [Stored("ann", "p1"), Stored("ann", "p3"), Stored("ann", "p4")],
}


def stored(**changed: Any) -> Log:
    return Log({**STORED, **{f"room:{name}" if name == "r" else f"inbox:{name}": to for name, to in changed.items()}})


def got(*places: int) -> Record:
    """Bob, as he was told these of his five messages in this order."""
    return replace(BOB, got=[BOB.got[place] for place in places])


def test_the_truth_is_accepted() -> None:
    assert discrepancies([ANN, BOB], stored()) == []


def test_what_a_peer_was_not_to_get_has_no_place() -> None:
    withdrawn = [*STORED[BOBS], Stored("ann", "p2")]
    assert discrepancies([ANN, BOB], stored(bob=withdrawn)) == []


def test_what_was_refused_may_have_happened_once() -> None:
    late = replace(BOB, got=[*BOB.got, Got(ROOM, "ann", "a2")])
    assert discrepancies([ANN, late], stored(r=[*STORED[ROOM], Stored("ann", "a2")])) == []


@pytest.mark.parametrize(
    ("bob", "lie"),
    [
        (got(0, 1, 3, 4), "bob in r: 1 messages where 2 were due"),
        (got(0, 1, 2, 3), "p4 to inbox:bob was acknowledged, and never told"),
        (got(0, 2, 3, 4), "p1 to inbox:bob was acknowledged, and never told"),
        (got(0, 1, 2, 3, 4, 2), "bob got a3 of room:r 2 times"),
        (got(0, 1, 2, 3, 4, 1), "bob got p1 of inbox:bob 2 times"),
        (got(2, 1, 0, 3, 4), "bob in r: at 0"),
        (got(0, 3, 2, 1, 4), "inbox of bob: at 0"),
        (
            replace(BOB, got=[*BOB.got, Got(BOBS, "ann", "p2", opened_ms=500)]),
            "p2 to inbox:bob was answered false, and recovered",
        ),
        (replace(BOB, got=[*BOB.got, Got(ROOM, "ann", "a9")]), "which was not sent"),
        (replace(BOB, got=[*BOB.got, Got(ROOM, "bob", "b1")]), "bob got its own b1"),
        (replace(BOB, got=[*BOB.got, Got(ANNS, "ann", "p1")]), "bob got p1 of inbox:ann"),
        (replace(BOB, sent=[Sent(ROOM, "b1", "")]), "b1 to room:r was never answered"),
        (replace(BOB, sent=[Sent(ROOM, "b2", "ok"), *BOB.sent]), "b2 to room:r was acknowledged, and is not stored"),
    ],
)
def test_a_client_that_was_told_wrong_is_found(bob: Record, lie: str) -> None:
    assert any(lie in found for found in discrepancies([ANN, bob], stored()))


@pytest.mark.parametrize(
    ("log", "lie"),
    [
        (stored(r=STORED[ROOM][:2]), "a3 to room:r was acknowledged, and is not stored"),
        (stored(bob=STORED[BOBS][:2]), "p4 to inbox:bob was acknowledged, and is not stored"),
        (stored(r=[*STORED[ROOM], STORED[ROOM][0]]), "room:r has a1 2 times"),
        (stored(r=[*STORED[ROOM], Stored("cid", "c1")]), "which was not sent"),
        (stored(r=STORED[ROOM][::-1]), "ann to room:r, as sent: at 0"),
        (stored(bob=STORED[BOBS][::-1]), "ann to inbox:bob, as sent: at 0"),
    ],
)
def test_a_server_that_stored_wrong_is_found(log: Log, lie: str) -> None:
    assert any(lie in found for found in discrepancies([ANN, BOB], log))


def test_a_long_list_is_shortened() -> None:
    silent = replace(ANN, sent=[Sent(ROOM, str(number), "") for number in range(50)])
    assert "... and 40 more of this kind" in discrepancies([silent], Log())
