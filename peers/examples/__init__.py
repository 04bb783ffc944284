"""Worked frames of what users are to each other. Importing the package registers them."""

from peers.examples import messages, states

__all__ = ["messages", "states"]
