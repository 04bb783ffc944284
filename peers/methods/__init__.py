"""What users are to each other (docs/contract.md 2, 4, 5 and 7). Importing the package declares the methods."""

from peers.methods import attributes, messages, presence

__all__ = ["attributes", "messages", "presence"]
