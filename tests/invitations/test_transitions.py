"""The table of invitations (docs/contract.md 8): every state with every act of every party."""

from datetime import UTC, datetime, timedelta

import pytest

from invitations.transitions import (
    ACTS_OF,
    OPEN,
    TABLE,
    Act,
    InvitationState,
    Outcome,
    Party,
    Refusal,
    Step,
    transition,
)

SENT_AT = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
SOON = SENT_AT + timedelta(seconds=1)
LIMITS = {InvitationState.SENT: timedelta(seconds=30), InvitationState.RECEIVED: timedelta(seconds=60)}
TICK = timedelta(milliseconds=1)

ENDS = {
    Act.ACCEPT: ("ACCEPTED", "", ""),
    Act.REFUSE: ("REFUSED", "", ""),
    Act.CANCEL: ("CANCELED", "", ""),
    Act.CALLER_GONE: ("FAILED", "NOT_LOGGEDIN", "PEER_OFFLINE"),
    Act.CALLEE_GONE: ("FAILED", "PEER_OFFLINE", "PEER_OFFLINE"),
}
HAPPENS: dict[tuple[InvitationState | None, Act], tuple[str, str, str]] = {
    (None, Act.SEND): ("SENT", "", ""),
    (None, Act.SEND_TO_NOBODY): ("FAILED", "PEER_OFFLINE", ""),
    (InvitationState.SENT, Act.CONFIRM): ("RECEIVED", "", ""),
    (InvitationState.SENT, Act.TIME_OUT): ("FAILED", "PEER_NO_RESPONSE", "INVITATION_EXPIRE"),
    (InvitationState.RECEIVED, Act.TIME_OUT): ("FAILED", "INVITATION_EXPIRE", "INVITATION_EXPIRE"),
    **{(state, act): end for state in LIMITS for act, end in ENDS.items()},
}
REPEATED = {
    *((state, act) for state in InvitationState for act in (Act.SEND, Act.SEND_TO_NOBODY)),
    (InvitationState.RECEIVED, Act.CONFIRM),
    (InvitationState.ACCEPTED, Act.CONFIRM),
    (InvitationState.REFUSED, Act.CONFIRM),
    (InvitationState.ACCEPTED, Act.ACCEPT),
    (InvitationState.REFUSED, Act.REFUSE),
    (InvitationState.CANCELED, Act.CANCEL),
}
every_state = pytest.mark.parametrize("state", [None, *InvitationState], ids=lambda state: state or "nothing")
every_act = pytest.mark.parametrize("act", Act, ids=lambda act: act.value)


def party_of(act: Act) -> Party:
    (party,) = [party for party, acts in ACTS_OF.items() if act in acts]
    return party


def now_for(state: InvitationState | None, act: Act) -> datetime:
    """A moment at which the clock has no objection."""
    return SENT_AT + LIMITS[state] if act is Act.TIME_OUT and state in OPEN else SOON


@every_state
@every_act
def test_every_act_in_every_state(state: InvitationState | None, act: Act) -> None:
    found = transition(state, act, party_of(act), now_for(state, act), SENT_AT)
    if (state, act) in HAPPENS:
        after, *reasons = HAPPENS[state, act]
        outcome = Outcome(InvitationState(after), *reasons)
        due_at = SENT_AT + LIMITS[outcome.state] if outcome.state in LIMITS else None
        assert found == Step(outcome, due_at)
    elif (state, act) in REPEATED:
        assert found is Refusal.REPEATED
    else:
        assert found is (Refusal.NOT_BEGUN if state is None else Refusal.ENDED)


@every_state
@every_act
def test_nobody_does_anothers_act(state: InvitationState | None, act: Act) -> None:
    for party in set(Party) - {party_of(act)}:
        assert transition(state, act, party, now_for(state, act), SENT_AT) is Refusal.NOT_THEIRS


@pytest.mark.parametrize("state", LIMITS)
@every_act
def test_at_the_limit_only_the_time_decides(state: InvitationState, act: Act) -> None:
    for late in (timedelta(0), TICK, timedelta(days=1)):
        found = transition(state, act, party_of(act), SENT_AT + LIMITS[state] + late, SENT_AT)
        if act is Act.TIME_OUT:
            assert isinstance(found, Step)
        elif (state, act) in REPEATED:
            assert found is Refusal.REPEATED
        else:
            assert found is Refusal.TOO_LATE


@pytest.mark.parametrize("state", LIMITS)
def test_before_the_limit_the_time_decides_nothing(state: InvitationState) -> None:
    before = SENT_AT + LIMITS[state] - TICK
    assert transition(state, Act.TIME_OUT, Party.SERVER, before, SENT_AT) is Refusal.TOO_EARLY
    assert isinstance(transition(state, Act.ACCEPT, Party.CALLEE, before, SENT_AT), Step)


def test_the_table_has_a_place_for_everything() -> None:
    assert set(TABLE) == {None, *InvitationState}
    assert all(set(row) == set(Act) for row in TABLE.values())


def test_an_end_is_an_end() -> None:
    for state in set(InvitationState) - OPEN:
        assert all(isinstance(found, Refusal) for found in TABLE[state].values()), state
