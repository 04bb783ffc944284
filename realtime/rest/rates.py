"""How often a project may call (`rest_*` in `projects/limits.py`). The buckets are this process's own: with several
processes a project has each rate once at every one."""

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from projects.limits import Rate
from projects.selectors import Tenant
from realtime.rates import Bucket, too_often

if TYPE_CHECKING:
    from realtime.runtime import Runtime

CAPACITY: Final = 20_000


class CallBuckets:
    """Buckets by project, user ("" for its server) and name, the least recently used forgotten above `CAPACITY`."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._buckets: OrderedDict[tuple[int, str, str], tuple[Rate, Bucket]] = OrderedDict()

    def spend(self, tenant: Tenant, uid: str | None, name: str) -> None:
        """Raises RpcError `too_often` with `retry_after_ms`. `uid` None: the project's server. What a user with a
        session at this process spends is the session's."""
        now_s = self._runtime.loop.time()
        session = None if uid is None else self._runtime.sessions.get(tenant.id, uid)
        if session is not None:
            session.buckets.spend(name, now_s)
            return
        bucket = self._bucket((tenant.id, uid or "", name), tenant.limits.rates[name], now_s)
        if not bucket.spend(now_s):
            raise too_often(bucket)

    def _bucket(self, key: tuple[int, str, str], rate: Rate, now_s: float) -> Bucket:
        kept = self._buckets.get(key)
        if kept is None or kept[0] != rate:
            kept = self._buckets[key] = (rate, Bucket(rate, now_s))
            if len(self._buckets) > CAPACITY:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        return kept[1]
