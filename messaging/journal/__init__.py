"""The journal: appends of all connections of a process, committed in groups."""

from messaging.journal.append import Append
from messaging.journal.journal import Journal

__all__ = ["Append", "Journal"]
