"""Rate buckets: never more than the rate, always as soon as it allows, and no refill by moving."""

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from projects.limits import RATES, Rate
from realtime.errors import JOIN_SAME_ROOM_TOO_OFTEN, RpcError
from realtime.rates import Bucket, KeyedBuckets, RateBuckets

rates = st.builds(Rate, st.integers(1, 500), st.integers(1, 10_000))
pauses = st.lists(st.one_of(st.just(0.0), st.floats(0.0, 5.0)), min_size=1, max_size=200)


def spend_at(bucket: Bucket, moments: list[float]) -> list[float]:
    """The moments at which a call was allowed."""
    return [moment for moment in moments if bucket.spend(moment)]


def moments_of(steps: list[float]) -> list[float]:
    moments = [1_000.0]
    for step in steps:
        moments.append(moments[-1] + step)
    return moments


@given(rates, pauses)
def test_in_no_span_of_time_are_more_calls_allowed_than_burst_and_refill(rate: Rate, steps: list[float]) -> None:
    allowed = spend_at(Bucket(rate, 1_000.0), moments_of(steps))
    per_s = rate.calls * 1000 / rate.window_ms
    for first in range(0, len(allowed), 7):
        for last in range(first, len(allowed), 7):
            span_s = allowed[last] - allowed[first]
            assert last - first + 1 <= rate.calls + span_s * per_s + 1e-6


@given(rates, pauses)
def test_a_call_is_refused_only_while_the_bucket_is_empty_and_told_for_how_long(rate: Rate, steps: list[float]) -> None:
    bucket = Bucket(rate, 1_000.0)
    for moment in moments_of(steps):
        if not bucket.spend(moment):
            wait_ms = bucket.wait_ms()
            assert wait_ms >= 1
            assert bucket.spend(moment + wait_ms / 1000 + 1e-6), "after the wait there is a call"
            assert wait_ms <= rate.window_ms / rate.calls + 1
            return


@given(rates)
def test_the_whole_burst_is_there_at_once_and_again_after_a_window(rate: Rate) -> None:
    bucket = Bucket(rate, 0.0)
    for start in (0.0, rate.window_ms / 1000 + 1e-6):
        assert [bucket.spend(start) for _ in range(rate.calls)] == [True] * rate.calls
    assert not bucket.spend(start)


@given(st.integers(1, 180), st.floats(0, 10), st.floats(0, 10))
def test_levels_that_move_are_worth_what_they_were(spent: int, age_s: float, other_clock_s: float) -> None:
    """Saved by one process, restored by another after some time, whose clock shows something else."""
    here, there, stayed = RateBuckets(RATES), RateBuckets(RATES), RateBuckets(RATES)
    for buckets in (here, stayed):
        for _ in range(spent):
            buckets.spend("message", 50.0)
    there.restore(here.levels(50.0), age_s, other_clock_s)
    moved = left(there, "message", other_clock_s)
    assert abs(moved - left(stayed, "message", 50.0 + age_s)) <= 1


def left(buckets: RateBuckets, name: str, now_s: float) -> int:
    """How many calls are free; they are spent by it."""
    for count in range(10_000):
        try:
            buckets.spend(name, now_s)
        except RpcError:
            return count
    raise AssertionError("no limit")


def test_full_buckets_are_not_worth_saving() -> None:
    buckets = RateBuckets(RATES)
    assert buckets.levels(0.0) == "{}"
    buckets.spend("join", 0.0)
    assert buckets.levels(0.0) == '{"join": 49.0}'
    assert buckets.levels(100.0) == "{}"


@pytest.mark.parametrize("levels", ["", "{}", '{"of another version": 3}'])
def test_what_was_not_saved_is_full(levels: str) -> None:
    buckets = RateBuckets(RATES)
    buckets.restore(levels, 0.0, 10.0)
    assert left(buckets, "message", 10.0) == 180


@given(st.floats(0, 20))
def test_without_levels_a_session_gets_what_the_time_since_its_last_login_refills(elapsed_s: float) -> None:
    assume(abs(elapsed_s - 3.0) > 1e-3)
    buckets = RateBuckets(RATES)
    buckets.limit_to_elapsed(elapsed_s, 10.0)
    assert abs(left(buckets, "message", 10.0) - min(180, int(elapsed_s * 60))) <= 1


@given(st.lists(st.floats(0.5, 4), min_size=2, max_size=10))
def test_hopping_from_login_to_login_is_no_way_around_a_rate(steps: list[float]) -> None:
    """Each process knows nothing but when the uid logged in before."""
    spent: list[tuple[float, int]] = []
    moments = moments_of(steps)
    for before, now_s in pairwise(moments):
        buckets = RateBuckets(RATES)
        buckets.limit_to_elapsed(now_s - before, now_s)
        spent.append((now_s, left(buckets, "message", now_s)))
    total = sum(count for _, count in spent)
    assert total <= (moments[-1] - moments[0]) * 60 + 180


def test_keyed_buckets_are_apart_and_the_least_recently_used_are_forgotten() -> None:
    keyed = KeyedBuckets(Rate(2, 5_000), capacity=2, kind=JOIN_SAME_ROOM_TOO_OFTEN)
    for key in ("a", "a", "b"):
        keyed.spend(key, 0.0)
    with pytest.raises(RpcError) as failed:
        keyed.spend("a", 0.0)
    assert failed.value.kind is JOIN_SAME_ROOM_TOO_OFTEN
    assert failed.value.data == {"retry_after_ms": 2_500}
    keyed.spend("c", 0.0)  # b was used longest ago
    with pytest.raises(RpcError):
        keyed.spend("a", 0.0)
    keyed.spend("b", 0.0)
    keyed.spend("b", 0.0)
    with pytest.raises(RpcError):
        keyed.spend("b", 0.0)
