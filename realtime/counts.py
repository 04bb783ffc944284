from collections import Counter
from typing import Generic, TypeVar

K = TypeVar("K")


class Counts(Generic[K]):
    """Numbers by key. What has none takes no room."""

    def __init__(self) -> None:
        self._counts: Counter[K] = Counter()

    def __getitem__(self, key: K) -> int:
        return self._counts[key]

    def __len__(self) -> int:
        """How many keys have some."""
        return len(self._counts)

    def add(self, key: K, number: int) -> None:
        """`number` below 0 takes away."""
        self._counts[key] += number
        if not self._counts[key]:
            del self._counts[key]
