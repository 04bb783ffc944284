"""The lines of the report: what is read from the results, what it is held against, and the target."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]
Limits = Mapping[str, float]

SOCKETIO: Row = {"system": "socket.io", "database": None}
NGINX: Row = {"system": "nginx", "database": None}
CHANNELS: Row = {"system": "channels", "database": None}
SUBJECT: Row = {"system": "rostrum"}


@dataclass(frozen=True)
class Line:
    """One figure of Rostrum's, on each database.

    It is `metric` of the row with `case`, `n` and `variant`. With `against`, it counts as a ratio to the row
    that differs in those fields. `limits` are the targets by database: at least, or with `at_most` at most,
    that much; none: the figure is only reported.
    """

    title: str
    case: str
    n: int
    variant: str
    metric: str
    unit: str
    against: Row | None = None
    limits: Limits = field(default_factory=dict)
    at_most: bool = False

    def value(self, rows: list[Row], database: str) -> float | None:
        return self._find(rows, {**SUBJECT, "database": database})

    def reference(self, rows: list[Row], database: str) -> float | None:
        if self.against is None:
            return None
        return self._find(rows, {**SUBJECT, "database": database, **self.against})

    def ratio(self, rows: list[Row], database: str) -> float | None:
        value, reference = self.value(rows, database), self.reference(rows, database)
        return value / reference if value is not None and reference else None

    def met(self, rows: list[Row], database: str) -> bool | None:
        """None where there is no target or no figure."""
        limit = self.limits.get(database)
        figure = self.value(rows, database) if self.against is None else self.ratio(rows, database)
        if limit is None or figure is None:
            return None
        return figure <= limit if self.at_most else figure >= limit

    def _find(self, rows: list[Row], wanted: Row) -> float | None:
        wanted = {"case": self.case, "n": self.n, "variant": self.variant, **wanted}
        for row in rows:
            if self.metric in row and all(row.get(name) == value for name, value in wanted.items()):
                return float(row[self.metric])
        return None


def _both(sqlite: float, postgresql: float | None = None) -> Limits:
    return {"sqlite": sqlite, "postgresql": sqlite if postgresql is None else postgresql}


def _carried(title: str, n: int, variant: str, limit: float | None = None) -> Line:
    limits = {} if limit is None else {"sqlite": limit}
    return Line(title, "files", n, variant, "mb_per_s", "MB/s", against=NGINX, limits=limits)


def _files_memory(title: str, variant: str) -> Line:
    title = f"{title}: rise of the server's memory"
    return Line(title, "files", 10, variant, "memory_rise_mb", "MB", limits={"sqlite": 8}, at_most=True)


def _burst(n: int, senders: str, against: Row, limit: float) -> Line:
    return Line(
        f"burst, 16 in flight, N={n}, {senders}",
        "burst",
        n,
        senders,
        "deliveries_per_s",
        "deliveries/s",
        against=against,
        limits=_both(limit),
    )


def _steady(rate: str, metric: str, limits: Limits) -> Line:
    title = f"{rate.replace('/s', ' messages/s')} into N=500, {metric.removesuffix('_ms')}"
    return Line(title, "steady", 500, rate, metric, "ms", against=SOCKETIO, limits=limits, at_most=True)


def _rooms(variant: str, limits: Limits) -> Line:
    title = f"100 rooms x 10 members, {variant}"
    return Line(title, "rooms", 1000, variant, "deliveries_per_s", "deliveries/s", against=SOCKETIO, limits=limits)


def _stock(variant: str, senders: str) -> Line:
    title = f"burst N=500, {senders}, {variant}"
    return Line(
        title,
        "stock",
        500,
        f"{variant}, {senders}",
        "deliveries_per_s",
        "deliveries/s",
        against={**SOCKETIO, "variant": senders},
    )


SENDERS = ("1 sender", "16 senders")
STOCK = ("Daphne", "stock uvicorn", "with Redis")
BURST_TARGETS = {100: 4.0, 500: 5.0, 1000: 5.0}

LINES = (
    *(_burst(n, senders, SOCKETIO, limit) for n, limit in BURST_TARGETS.items() for senders in SENDERS),
    *(_burst(n, senders, CHANNELS, 40.0) for n in BURST_TARGETS for senders in SENDERS),
    *(_steady(rate, "p50_ms", _both(1.3, 1.5)) for rate in ("10/s", "100/s")),
    *(_steady(rate, "p99_ms", _both(1.2, 1.3)) for rate in ("10/s", "100/s")),
    _rooms("all sending", _both(2.0, 1.3)),
    _rooms("one sender a room", _both(0.8, 0.6)),
    Line(
        "acknowledged appends, 200 senders in 50 rooms of 4",
        "append",
        200,
        "50 rooms of 4",
        "acks_per_s",
        "appends/s",
        limits=_both(15_000, 10_000),
    ),
    Line(
        "memory per idle logged-in connection (3,000)",
        "idle",
        3000,
        "",
        "kib_per_connection",
        "KiB",
        limits=_both(30),
        at_most=True,
    ),
    *(
        Line(
            f"logins, {variant}",
            "login",
            3000,
            variant,
            "logins_per_s",
            "logins/s",
            against=SOCKETIO,
            limits=_both(1.5),
        )
        for variant in ("server just started", "server warm")
    ),
    Line(
        "logins with token verification, against without",
        "tokens",
        3000,
        "with tokens",
        "logins_per_s",
        "logins/s",
        against={"variant": "without tokens"},
        limits=_both(0.9),
    ),
    Line(
        "peer messages acknowledged by the receiver, 200 pairs",
        "peer",
        400,
        "one message at a time",
        "acks_per_s",
        "messages/s",
        limits={"sqlite": 8_000},
    ),
    Line(
        "peer messages at 500/s, 200 pairs: until the receiver has it, p99",
        "peer",
        400,
        "500/s",
        "p99_ms",
        "ms",
        limits=_both(15),
        at_most=True,
    ),
    Line(
        "peer messages at 500/s, 200 pairs: until the sender knows, p99",
        "peer",
        400,
        "500/s",
        "ack_p99_ms",
        "ms",
        limits=_both(15),
        at_most=True,
    ),
    Line(
        "presence change to 500 subscribers, p99",
        "presence",
        500,
        "",
        "p99_ms",
        "ms",
        limits=_both(50),
        at_most=True,
    ),
    Line(
        "offline drain: 200 messages to each of 100 users at once",
        "drain",
        100,
        "200 messages each",
        "drain_s",
        "s",
        limits=_both(3),
        at_most=True,
    ),
    Line(
        "20 of 200 never read: the others' p99, against none stalled",
        "slow",
        200,
        "20 stalled",
        "p99_ms",
        "ms",
        against={"variant": "none stalled"},
        limits=_both(1.2),
        at_most=True,
    ),
    Line(
        "20 of 200 never read: rise of the server's memory",
        "slow",
        200,
        "20 stalled",
        "memory_rise_mb",
        "MB",
        limits=_both(40),
        at_most=True,
    ),
    _carried("files of 30 MB down, one at a time", 1, "down", 0.5),
    _carried("files of 30 MB down, 10 at once", 10, "down", 0.5),
    _carried("files of 30 MB up, one at a time", 1, "up"),
    _carried("files of 30 MB up, 10 at once", 10, "up"),
    _files_memory("10 files of 30 MB down", "down"),
    _files_memory("10 files of 30 MB down to slow readers", "down, slow readers"),
    _files_memory("10 files of 30 MB up", "up"),
    Line(
        "50 messages/s into N=100 beside 10 uploads, p99, against none",
        "beside",
        100,
        "10 uploads",
        "p99_ms",
        "ms",
        against={"variant": "no uploads"},
        limits={"sqlite": 1.5},
        at_most=True,
    ),
    Line(
        "Redis commands per room message, two processes: N=400 against N=10",
        "redis",
        400,
        "two processes, 100/s",
        "redis_commands_per_message",
        "commands",
        against={"n": 10},
        limits={"postgresql": 1.1},
        at_most=True,
    ),
    *(_stock(variant, senders) for variant in STOCK for senders in SENDERS),
)
