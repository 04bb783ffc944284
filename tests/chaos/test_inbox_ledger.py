"""The ledger itself: each lie about an inbox is found, by the check that is for it."""

from collections.abc import Callable
from typing import Any

import pytest

from messaging.models import EntryFlag
from tests.support.inbox_ledger import (
    Answered,
    HandedOver,
    InboxEntry,
    InboxLedger,
    InboxLog,
    PeerSent,
    inbox_discrepancies,
)

KEPT = 1
Story = tuple[dict[str, InboxLedger], InboxLog]


def body(text: str, **flags: bool) -> dict[str, Any]:
    return {"message": {"type": "TEXT", "text": text}, **flags}


def invited(step: int, state: str, by: str) -> tuple[str, dict[str, Any]]:
    names = {"invitation": "i1", "caller": "ann", "callee": "bob", "channel": "", "content": "", "response": ""}
    return by, {**names, "state": state, "reason": "", "step": step, "ts": step}


def tell() -> Story:
    """Ann writes to bob: m1 arrives, m2 does not, m3 and m4 are kept while he is away, and m3 is pushed out. Then she
    calls him, and he accepts."""
    ann, bob = InboxLedger(), InboxLedger()
    log = InboxLog(entries={"ann": [], "bob": []}, states={("ann", "i1"): "ACCEPTED"})
    messages = {"m1": (True, body("1")), "m2": (False, body("2"))}
    messages |= {name: (False, body(name, offline=True)) for name in ("m3", "m4")}
    for number, (message_id, (received, sent)) in enumerate(messages.items(), 1):
        ann.sent[message_id, "bob"] = PeerSent("bob", sent, 1, number, received, number + 0.5)
        flags = EntryFlag.OFFLINE if "offline" in sent else 0
        withdrawn = EntryFlag.WITHDRAWN if message_id in ("m2", "m3") else 0
        log.entries["bob"].append(InboxEntry(number, "peer.sent", "ann", message_id, sent, flags | withdrawn))
    for uid, ledger, handed in (("ann", ann, ()), ("bob", bob, (1, 2, 4))):
        for step, (sender, told) in enumerate((invited(1, "SENT", "ann"), invited(2, "ACCEPTED", "bob")), 1):
            seq = len(log.entries[uid]) + 1
            log.entries[uid].append(InboxEntry(seq, "invitation.changed", sender, f"invitation:1:{step}", told, 0))
        log.heads[uid] = len(log.entries[uid])
        for entry in log.entries[uid]:
            if entry.seq in handed or entry.event == "invitation.changed":
                ledger.handed.append(HandedOver(*entry[:5], asked_s=entry.seq))
    bob.answered.append(Answered("i1", 2, "ACCEPTED", ""))
    return {"ann": ann, "bob": bob}, log


def found(story: Story) -> list[str]:
    return [wrong for kind in inbox_discrepancies(*story, KEPT) for wrong in kind]


def test_a_true_story_has_no_discrepancies() -> None:
    assert found(tell()) == []


def sent(story: Story, message_id: str) -> PeerSent:
    return story[0]["ann"].sent[message_id, "bob"]


def store(story: Story, seq: int, **changes: Any) -> None:
    entries = story[1].entries["bob"]
    entries[seq - 1] = entries[seq - 1]._replace(**changes)


def late(story: Story) -> None:
    handed = story[0]["bob"].handed
    handed[1] = handed[1]._replace(asked_s=sent(story, "m2").answered_s + 0.1)


def swap(story: Story) -> None:
    handed = story[0]["bob"].handed
    handed[0], handed[1] = handed[1], handed[0]


def overtake(story: Story) -> None:
    first, last = sent(story, "m1"), sent(story, "m4")
    last.sent_s, first.sent_s, first.link = 0, 9, None
    last.answered_s = 1
    story[0]["ann"].sent = dict(sorted(story[0]["ann"].sent.items(), key=lambda item: item[1].sent_s))


LIES: dict[str, tuple[Callable[[Story], object], str]] = {
    "an entry is missing": (lambda story: story[1].entries["bob"].pop(2), "head 6, 5 entries"),
    "an entry is there twice": (lambda story: store(story, 3, message_id="m4", body=body("m4", offline=True)), "twice"),
    "a body is another one": (lambda story: store(story, 2, body=body("other")), "was sent as"),
    "handed over twice": (lambda story: story[0]["bob"].handed.insert(1, story[0]["bob"].handed[0]), "twice or out"),
    "handed over out of order": (swap, "twice or out of order"),
    "never handed over": (lambda story: story[0]["bob"].handed.pop(2), "was never given"),
    "received and not handed over": (lambda story: story[0]["bob"].handed.pop(0), "was given to its receiver as None"),
    "received and withdrawn": (lambda story: store(story, 1, flags=4), "was given to its receiver"),
    "not received and not withdrawn": (lambda story: store(story, 2, flags=0), "is not withdrawn"),
    "not received, delivered later": (late, "was asked for later"),
    "kept and not stored": (
        lambda story: story[0]["ann"].sent.update(
            {("m9", "bob"): PeerSent("bob", body("9", offline=True), 1, 9, False)}
        ),
        "it is not stored",
    ),
    "kept and withdrawn for nothing": (lambda story: store(story, 4, flags=5), "withdrawn, with 0 newer ones"),
    "never answered": (lambda story: setattr(sent(story, "m1"), "received", None), "it was never answered"),
    "the order of sending is another one": (overtake, "that was sent before it"),
    "the callee was told another step": (
        lambda story: store(story, 6, body=invited(2, "REFUSED", "bob")[1]),
        "the callee",
    ),
    "open in the end": (lambda story: story[1].states.update({("ann", "i1"): "SENT"}), "it is SENT in the end"),
    "answered what never was": (
        lambda story: story[0]["bob"].answered.append(Answered("i1", 2, "REFUSED", "")),
        "and told",
    ),
    "a step is withdrawn": (lambda story: store(story, 5, flags=4), "is withdrawn"),
}


@pytest.mark.parametrize("lie", LIES)
def test_each_lie_is_found(lie: str) -> None:
    story = tell()
    change, words = LIES[lie]
    change(story)
    assert any(words in wrong for wrong in found(story)), found(story)
