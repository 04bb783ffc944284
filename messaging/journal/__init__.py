"""The journal: appends of all connections of a process, committed in groups."""

from messaging.journal.append import Append
from messaging.journal.journal import Journal
from messaging.journal.mark import Mark

__all__ = ["Append", "Journal", "Mark"]
