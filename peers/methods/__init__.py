"""The methods of peers (docs/contract.md 2, 4 and 5). Importing the package declares them."""

from peers.methods import messages

__all__ = ["messages"]
