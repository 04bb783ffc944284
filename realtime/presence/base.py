"""The presence store: who is here, and in which rooms. One interface, two stores (`memory`, `redis`).

Words used here:

- A *node* is one server process. It holds a *lease*, renewed every `lease_renew_ms`, which covers all its
  sessions. All times are the store's own clock: nodes' clocks play no part.
- A *generation* numbers the logins of a uid and only grows. Every write names the generation it is meant for
  and does nothing if another one is current.
- A session is *gone* while nothing is heard of its client; `removal_ms` later any node's `reap` removes it.

Each node is the truth for its own sockets. When its lease was lost, when the store was emptied or
restarted, or when one of its writes may not have arrived, the next `renew` says `lost`: from then on the
node has a new lease, which covers nothing until the node has named its sessions again (`restore`). What it
does not name stays on the old lease and is removed with it. For `grace_ms` after that nobody is removed at
all.
"""

import enum
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec


class PresenceUnavailable(Exception):
    """The store cannot be reached, or it does not know this node (any more) until its next `renew`.

    Whether the call had an effect is unknown; after a write the next `renew` answers `lost`, so that the
    node's sessions are put right.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceTiming:
    """Milliseconds. A user is removed 30 to 35 s after the last sign of life (docs/contract.md 6): a
    session that is gone after `removal_ms`; one of a dead node, whose last sign of life may be
    `lease_renew_ms` younger than the lease, that much later. The slack and the time between two calls of
    `reap` (500 ms) fit below the 35 s."""

    lease_renew_ms: int = 4_000
    """A node calls `renew` this often."""
    lease_lost_ms: int = 15_000
    """A lease not renewed for so long is lost: its sessions are unreachable, its node may not write."""
    unreachable_ms: int = 6_000
    removal_ms: int = 30_000
    slack_ms: int = 250
    grace_ms: int = 30_000
    login_window_ms: int = 1_000
    """Two logins of a uid are accepted within this time."""
    logins_kept_ms: int = 10_000
    """For so long a uid's last login is remembered even when its session has ended. It also keeps generations
    growing when the store's clock is set back a little."""
    evictions_kept_ms: int = 600_000
    """For so long a node that does not renew may still learn which of its sessions were taken over."""

    @property
    def gone_removal_ms(self) -> int:
        """From the last sign of life of a session to its removal."""
        return self.removal_ms + self.slack_ms

    @property
    def lease_removal_ms(self) -> int:
        """From the last renewal of a lease to the removal of its sessions."""
        return self.removal_ms + self.lease_renew_ms + self.slack_ms


class PresenceState(enum.StrEnum):
    """What others see of a uid that has a session; without one it is offline."""

    ONLINE = "ONLINE"
    UNREACHABLE = "UNREACHABLE"


class Previous(msgspec.Struct, frozen=True):
    """The login that was current before: `node` still has its socket open, or believes so."""

    node: str
    generation: int
    session: str


class LoginOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a login came to. With `too_often` nothing was changed and the other fields mean nothing."""

    too_often: bool = False
    session: str = ""
    generation: int = 0
    resumed: bool = False
    since_ms: int = 0
    """When the session began: kept when it is resumed."""
    rooms: tuple[str, ...] = ()
    """Rooms the resumed session is still in."""
    left_rooms: tuple[str, ...] = ()
    """Rooms the replaced session was in."""
    previous: Previous | None = None
    levels: str = ""
    """The uid's rate buckets as last saved (`set_gone`, `restore`), however the session continues."""
    levels_age_ms: int = 0
    previous_login_ms: int | None = None
    """When this uid last logged in; None if it has no session and did not for `logins_kept_ms`."""
    now_ms: int = 0


class SessionState(msgspec.Struct, frozen=True):
    state: PresenceState
    node: str
    generation: int
    since_ms: int
    session: str
    capabilities: str
    """Of its last login; "" when that was at a process of an earlier version, which does not say."""


class SessionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A session as its node knows it. `silent_ms`: no sign of life for so long; None: it is here."""

    project: int
    uid: str
    session: str
    generation: int
    since_ms: int
    rooms: tuple[str, ...] = ()
    silent_ms: int | None = None
    levels: str = ""
    capabilities: str = ""


EvictionReason = Literal["superseded", "remote_login", "removed", "kicked", "banned"]


class Eviction(msgspec.Struct, frozen=True):
    """A session this node had is not its own any more, and its socket, if any, is to be closed:

    `superseded`: the same session was resumed on another node; `remote_login`: another session took the uid
    over; `removed`: another node reaped it after it had been gone for long enough.
    """

    project: int
    uid: str
    generation: int
    reason: EvictionReason


class Evicted(msgspec.Struct, frozen=True):
    """A session that `evict` has ended; `node` has its socket."""

    node: str
    generation: int
    rooms: tuple[str, ...]


class Renewal(msgspec.Struct, frozen=True):
    lost: bool
    evictions: tuple[Eviction, ...] = ()


class Removed(msgspec.Struct, frozen=True):
    project: int
    uid: str
    generation: int
    rooms: tuple[str, ...]


class PresenceStore(ABC):
    """Every method may raise PresenceUnavailable, in bounded time; the store recovers by itself.

    A node changes what it knows of a session in the same step in which a call returns (no other `await`
    between): then `restore` never writes back what a call has just changed.
    """

    @abstractmethod
    async def open(self, node: str) -> None:
        """Takes a lease for this process. `node` must be its own: a restarted process has another one.
        May be repeated after PresenceUnavailable; `renew` does the same."""

    @abstractmethod
    async def close(self) -> None:
        """Gives the lease up. Sessions still on it are removed `removal_ms` from now, unless they are resumed
        elsewhere before. Never raises; no call works afterwards."""

    @abstractmethod
    async def epoch(self) -> str:
        """Random id of this life of the store. It changes when the store was emptied or restarted, so that
        what was seen under another epoch (a room empty for 5 minutes) proves nothing."""

    @abstractmethod
    async def settled(self) -> bool:
        """False during the grace: whoever is missing may only not have been named again yet, so nobody is
        to be declared gone on account of what was read before this was asked."""

    @abstractmethod
    async def login(
        self,
        project: int,
        uid: str,
        wanted_session: str | None,
        new_session: str,
        *,
        capabilities: str = "",
        window_ms: int | None = None,
    ) -> LoginOutcome:
        """Makes this node the holder of the uid's one session.

        A uid's session that is `wanted_session` is resumed: it keeps its rooms and is here. Any other one is
        replaced by `new_session` and leaves its rooms. If another node held it, that node is told (`renew`).
        A login that is cancelled while it waits counts as gone from the start. `capabilities`: of the client, also
        one that resumes; any text. `window_ms`: a project's own time in which two logins of a uid are accepted; by
        default the timing's.
        """

    @abstractmethod
    async def remove(self, project: int, uid: str, generation: int) -> tuple[str, ...] | None:
        """Ends the session. Returns the rooms it was in; None if this generation is not current."""

    @abstractmethod
    async def evict(self, project: int, uid: str, reason: EvictionReason) -> Evicted | None:
        """Ends the uid's session, whichever node holds it. If that is another one, it is told (`renew`); this node
        drops it by itself. None if there is no session, as far as the store knows: until it has `settled`, there
        may be one that is not named again yet."""

    @abstractmethod
    async def join(self, project: int, uid: str, generation: int, room: str) -> bool:
        """False if this generation is not current, here and below: the session was removed or taken over."""

    @abstractmethod
    async def leave(self, project: int, uid: str, generation: int, room: str) -> bool: ...

    @abstractmethod
    async def set_gone(self, project: int, uid: str, generation: int, silent_ms: int, levels: str) -> bool:
        """There has been no sign of life for `silent_ms` (0: the socket closed just now). A session that is
        gone already stays so since the earlier moment. `levels`: the uid's rate buckets, kept for its next
        login."""

    @abstractmethod
    async def set_here(self, project: int, uid: str, generation: int) -> bool:
        """There is a sign of life again."""

    @abstractmethod
    async def members(self, project: int, room: str, limit: int) -> list[str]:
        """Uids in the room, those who joined first first."""

    @abstractmethod
    async def counts(self, project: int, rooms: Sequence[str]) -> list[int]:
        """Members of each room: reads a stored size (`len`, ZCARD), whatever the size is."""

    @abstractmethod
    async def sessions(self, project: int, uids: Sequence[str]) -> list[SessionState | None]:
        """The state of each uid; None: offline. Unreachable is who has been gone for `unreachable_ms`, or
        whose node's lease is lost."""

    @abstractmethod
    async def renew(self) -> Renewal:
        """Renews this node's lease and tells which of its sessions were taken away. Evictions are kept until
        they have been handed over, so one may come twice; generations tell. Act on them first, then, if `lost`,
        call `restore`, also with nothing to name. May be called at any time, as after PresenceUnavailable."""

    @abstractmethod
    async def restore(self, records: Iterable[SessionRecord]) -> list[tuple[int, str]]:
        """Names all of this node's sessions again, after `lost`. Returns those whose uid has a newer
        generation, or another session of the same one (a store that has lost its memory may give a generation
        twice within a millisecond; who is there stays): they are not this node's any more.

        `records` may be a generator: it is read in batches, each only when no write of this node is under
        way. Until this has ended, a session that the store misses makes a write raise PresenceUnavailable
        instead of answering False.
        """

    @abstractmethod
    async def reap(self, limit: int) -> list[Removed]:
        """Removes at most `limit` sessions that were gone, or whose node's lease was not renewed, for long
        enough. Every node calls it twice a second; each removal is returned once, to one of them. (One
        whose answer is lost with the connection, or with the node, is not repeated: compare with the store
        now and then.)

        A node whose own lease is lost removes nobody: so after an outage that all nodes saw, grace comes
        first.
        """
