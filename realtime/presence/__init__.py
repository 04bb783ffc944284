"""Presence: who is online, on which process, in which rooms. `base` says what a store promises."""

from realtime.presence.base import (
    Evicted,
    Eviction,
    EvictionReason,
    LoginOutcome,
    PresenceState,
    PresenceStore,
    PresenceTiming,
    PresenceUnavailable,
    Previous,
    Removed,
    Renewal,
    SessionRecord,
    SessionState,
)
from realtime.presence.memory import MemoryPresence
from realtime.presence.memory_state import MemoryPresenceState
from realtime.presence.redis import RedisPresence

__all__ = [
    "Evicted",
    "Eviction",
    "EvictionReason",
    "LoginOutcome",
    "MemoryPresence",
    "MemoryPresenceState",
    "PresenceState",
    "PresenceStore",
    "PresenceTiming",
    "PresenceUnavailable",
    "Previous",
    "RedisPresence",
    "Removed",
    "Renewal",
    "SessionRecord",
    "SessionState",
]
