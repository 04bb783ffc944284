"""Which webhooks count as working."""

from activity.standing import PROBATION_S, Standing


class Time:
    now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_webhook_is_proven_by_its_first_success() -> None:
    standing = Standing(Time())
    assert (standing.is_proven(1), standing.is_failing(1)) == (False, False)
    standing.note(1, failed=False)
    assert (standing.is_proven(1), standing.is_proven(2)) == (True, False)


def test_after_a_failure_it_is_on_probation_whatever_it_takes() -> None:
    time = Time()
    standing = Standing(time)
    standing.note(1, failed=False)
    standing.note(1, failed=True)
    assert (standing.is_proven(1), standing.is_failing(1)) == (False, True)
    standing.note(1, failed=False)
    assert (standing.is_proven(1), standing.is_failing(1)) == (False, False)
    time.now_s += PROBATION_S - 1
    assert not standing.is_proven(1)
    time.now_s += 1
    assert standing.is_proven(1)


def test_one_that_still_fails_is_never_proven() -> None:
    time = Time()
    standing = Standing(time)
    standing.note(1, failed=True)
    time.now_s += 2 * PROBATION_S
    assert not standing.is_proven(1)
