"""Worked frames of rooms. Importing the package registers them."""

from rooms.examples import rooms, shared_files

__all__ = ["rooms", "shared_files"]
