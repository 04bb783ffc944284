"""What users are to each other (docs/contract.md 2 and 7). Importing the package declares the methods."""

from peers.methods import attributes, presence

__all__ = ["attributes", "presence"]
