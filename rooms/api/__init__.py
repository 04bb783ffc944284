"""Rooms by REST (docs/contract.md 10, docs/rest.md)."""

from rooms.api import attributes, history, messages, rooms, settings

__all__ = ["attributes", "history", "messages", "rooms", "settings"]
