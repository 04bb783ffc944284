"""Addresses whose bodies have bounds of their own; the apps above name them."""

from collections.abc import Callable
from typing import NamedTuple


class BodyBound(NamedTuple):
    """`seconds`: for the whole body."""

    max_bytes: int
    seconds: float


Rule = Callable[[str, bytes], BodyBound | None]
_rules: list[Rule] = []


def add_body_rule(rule: Rule) -> None:
    """Registers it; called when Django's apps are ready. By a request's path and query it says what bound holds; None:
    the ordinary one. It is asked for each request before its body is read: it looks nothing up."""
    _rules.append(rule)


def own_bound(path: str, query: bytes) -> BodyBound | None:
    """The bound of an address that has one of its own."""
    return next((bound for rule in _rules if (bound := rule(path, query)) is not None), None)
