"""Rate buckets: `calls` at once, refilled evenly over the window (docs/contract.md 2)."""

import json
import math
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from projects.limits import Rate
from realtime.errors import TOO_OFTEN, ErrorKind, RpcError

TOLERANCE: Final = 5e-7
"""Of a call: who waited as long as told is not refused for a rounding of the clock's floats."""


class Bucket:
    """A token bucket; times are seconds of any one monotonic clock."""

    __slots__ = ("capacity", "level", "per_s", "updated_s")

    def __init__(self, rate: Rate, now_s: float) -> None:
        self.capacity = float(rate.calls)
        self.per_s = rate.calls * 1000 / rate.window_ms
        self.level = self.capacity
        self.updated_s = now_s

    def refill(self, now_s: float) -> float:
        level = self.level + (now_s - self.updated_s) * self.per_s
        self.level = level = min(level, self.capacity)
        self.updated_s = now_s
        return level

    def spend(self, now_s: float, cost: float = 1.0) -> bool:
        """Takes `cost` calls, or nothing if there are fewer."""
        level = self.refill(now_s)
        if level < cost - TOLERANCE:
            return False
        self.level = level - cost
        return True

    def wait_ms(self, cost: float = 1.0) -> int:
        """How long until `cost` calls are free."""
        return max(1, math.ceil((cost - self.level) / self.per_s * 1000))


class RateBuckets:
    """The buckets of one session, made as they are used; they move with the session."""

    __slots__ = ("_buckets", "_rates")

    def __init__(self, rates: Mapping[str, Rate]) -> None:
        self._rates = rates
        self._buckets: dict[str, Bucket] = {}

    def spend(self, name: str, now_s: float, cost: float = 1.0) -> None:
        """Raises RpcError `too_often` with `retry_after_ms` when the bucket holds less than `cost`."""
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = Bucket(self._rates[name], now_s)
        if not bucket.spend(now_s, cost):
            raise too_often(bucket, cost)

    def are_of(self, rates: Mapping[str, Rate]) -> bool:
        return self._rates == rates

    def levels(self, now_s: float) -> str:
        """What is left in the buckets that are not full, as text for the presence store."""
        spent = {name: round(bucket.refill(now_s), 2) for name, bucket in self._buckets.items()}
        return json.dumps({name: level for name, level in spent.items() if level < self._rates[name].calls})

    def restore(self, levels: str, age_s: float, now_s: float) -> None:
        """Takes over levels that another process saved `age_s` seconds ago."""
        for name, level in json.loads(levels or "{}").items():
            if name in self._rates:
                self._buckets[name] = bucket = Bucket(self._rates[name], now_s - age_s)
                bucket.level = float(level)

    def limit_to_elapsed(self, elapsed_s: float, now_s: float) -> None:
        """A session that moved without its levels gets no more than the time since its last login refills."""
        for name, rate in self._rates.items():
            if name not in self._buckets and elapsed_s * 1000 < rate.window_ms:
                self._buckets[name] = bucket = Bucket(rate, now_s - elapsed_s)
                bucket.level = 0.0


class KeyedBuckets:
    """Buckets of one rate by key, the least recently used forgotten above `capacity` keys."""

    def __init__(self, rate: Rate, capacity: int, kind: ErrorKind = TOO_OFTEN) -> None:
        self._rate = rate
        self._capacity = capacity
        self._kind = kind
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def spend(self, key: str, now_s: float) -> None:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(self._rate, now_s)
            if len(self._buckets) > self._capacity:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        if not bucket.spend(now_s):
            raise too_often(bucket, kind=self._kind)


def too_often(bucket: Bucket, cost: float = 1.0, kind: ErrorKind = TOO_OFTEN) -> RpcError:
    return RpcError(kind, retry_after_ms=bucket.wait_ms(cost))
