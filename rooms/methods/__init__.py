"""The room methods (docs/contract.md 2, 3, 4 and 7). Importing the package declares them."""

from rooms.methods import attributes, deletion, membership, messages

__all__ = ["attributes", "deletion", "membership", "messages"]
