"""A session: one user of a project, logged in (docs/contract.md 6); what it is and what can befall it."""

import enum
from typing import Final, NamedTuple

from projects.selectors import Tenant
from realtime.capabilities import withheld_events
from realtime.close_codes import BANNED, KICKED, REMOTE_LOGIN, SESSION_LOST, SUPERSEDED, CloseCode
from realtime.connection import Connection
from realtime.presence import EvictionReason
from realtime.protocol import encode
from realtime.rates import KeyedBuckets, RateBuckets
from realtime.streams import Subscription

EVICTED_CODES: Final[dict[EvictionReason, CloseCode]] = {
    "superseded": SUPERSEDED,
    "remote_login": REMOTE_LOGIN,
    "removed": SESSION_LOST,
    "kicked": KICKED,
    "banned": BANNED,
}
"""With which a session's connection is closed when the store has evicted it."""


class Introduction(NamedTuple):
    """What a client has said and shown of itself at its login. `capabilities`: the known ones of those it has named.
    `token_ends_ms`: its token ends the connection then (ms since 1970), None: no token does."""

    version: str = ""
    capabilities: str = ""
    token_ends_ms: int | None = None


class Change(enum.Enum):
    """What befell a session. Each is told once in the cluster, by the process that did it."""

    LOGGED_IN = "logged_in"
    LOGGED_OUT = "logged_out"
    REPLACED = "replaced"
    """By another login of its uid."""
    REMOVED = "removed"
    """After it had been away for 30 s."""
    EVICTED = "evicted"
    """By a kick or a ban."""
    JOINED = "joined"
    LEFT = "left"


ENDINGS: Final = frozenset({Change.LOGGED_OUT, Change.REPLACED, Change.REMOVED, Change.EVICTED})
"""After these the session is no more."""


class Session:
    """A logged-in user. `connection` is None while the socket is lost; `gone`: the store was told so;
    `unreachable`: a lost one has been so for long enough that others see it."""

    __slots__ = (
        "__weakref__",
        "buckets",
        "capabilities",
        "connection",
        "generation",
        "gone",
        "id",
        "inbox",
        "joins",
        "json_uid",
        "lost_s",
        "project",
        "returning",
        "since_ms",
        "subscriptions",
        "token_ends_ms",
        "token_warned",
        "uid",
        "unreachable",
        "version",
        "withheld",
    )

    def __init__(self, project: Tenant, uid: str, session_id: str, generation: int, since_ms: int) -> None:
        self.project = project
        self.uid = uid
        self.id = session_id
        self.generation = generation
        self.since_ms = since_ms
        self.json_uid = encode(uid)
        self.connection: Connection | None = None
        self.gone = False
        self.unreachable = False
        self.lost_s = 0.0
        self.inbox: Subscription | None = None
        """Its own stream; None only while it logs in."""
        self.subscriptions: dict[str, Subscription] = {}
        """To rooms, by the name of the stream."""
        self.returning: set[str] = set()
        """Streams it is in as the store knows, and not subscribed to here yet."""
        self.buckets = RateBuckets(project.limits.rates)
        self.joins: KeyedBuckets | None = None
        self.introduce(Introduction())

    def introduce(self, introduction: Introduction) -> None:
        """At each login, also one that resumes."""
        self.version, self.capabilities, ends_ms = introduction
        self.withheld = withheld_events(self.capabilities)
        self.set_token_end(ends_ms)

    def set_token_end(self, ends_ms: int | None) -> None:
        """Its user has shown a token."""
        self.token_ends_ms = ends_ms
        self.token_warned = False

    def given(self, *events: str) -> tuple[str, ...]:
        """Those of the events that its client takes."""
        return tuple(event for event in events if event not in self.withheld)

    @property
    def key(self) -> tuple[int, str]:
        return (self.project.id, self.uid)

    def subscription(self, stream: str) -> Subscription | None:
        """To a room it has joined, or to its own inbox."""
        if self.inbox is not None and self.inbox.stream.key[1] == stream:
            return self.inbox
        return self.subscriptions.get(stream)

    def all_subscriptions(self) -> list[Subscription]:
        found = list(self.subscriptions.values())
        if self.inbox is not None:
            found.append(self.inbox)
        return found
