"""Every row of the table of limits, at the limit and one past it; the table as the documents show it.

Rows of rates are found by themselves where a method spends them. Sizes are tried in tests/rooms/test_project_limits.py
and where a test of its own names one.
"""

import ast
from collections.abc import Awaitable, Callable
from dataclasses import fields
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings

from projects.limits import CEILINGS, RATES, Sizes
from projects.models import Project
from realtime.documents import OTHER_SPENDERS
from realtime.registry import METHODS
from tests.rooms.test_project_limits import REFUSED
from tests.support.client import CallFailed
from tests.support.clock import Lifetime, clocked_runtimes
from tests.support.rest import Api, request

pytestmark = pytest.mark.shapeless

ROOT: Final = Path(settings.BASE_DIR)
NOTHING: Final = {"no_such_param": True}
"""A rate is spent before the params are looked at."""

Probe = Callable[[Lifetime, Api], Callable[[], Awaitable[str]]]
"""Makes the call that spends one of a rate; the call says "too_often", or something else when it was free."""


def calling(method: str) -> Probe:
    """A method's own call, with params that it refuses."""

    def probe(lifetime: Lifetime, api: Api) -> Callable[[], Awaitable[str]]:
        clients: list[Any] = []

        async def call() -> str:
            if not clients:
                clients.append(await lifetime.enter(api.app, "ann"))
            with pytest.raises(CallFailed) as refused:
                await clients[0].call(method, **NOTHING)
            assert refused.value.name in ("invalid_params", "too_often")
            return refused.value.name

        return call

    return probe


def login(lifetime: Lifetime, api: Api) -> Callable[[], Awaitable[str]]:
    async def call() -> str:
        try:
            await lifetime.open_client().login(api.app, "ann")
        except CallFailed as refused:
            return refused.name
        return ""

    return call


def join_same_room(lifetime: Lifetime, api: Api) -> Callable[[], Awaitable[str]]:
    clients: list[Any] = []

    async def call() -> str:
        if not clients:
            clients.append(await lifetime.enter(api.app, "ann"))
        try:
            await clients[0].call("room.join", room="math")
        except CallFailed as refused:
            return refused.name.removeprefix("join_same_room_")
        await clients[0].call("room.leave", room="math")
        return ""

    return call


def rest(method: str, path: str, body: Any = None) -> Probe:
    def probe(lifetime: Lifetime, api: Api) -> Callable[[], Awaitable[str]]:
        async def call() -> str:
            answer = await api.vendor(method, path, body)
            assert answer.status in (200, 400, 429), answer.body
            assert (answer.status == 429) == ("retry-after" in answer.headers)
            return "too_often" if answer.status == 429 else ""

        return call

    return probe


def client_log(lifetime: Lifetime, api: Api) -> Callable[[], Awaitable[str]]:
    batch = {"app": api.app, "uid": "ann", "lines": [{"ts": 0, "level": "info", "text": ""}]}
    addresses = count(1)

    async def call() -> str:
        answer = await request("POST", "/rtm/logs", body=batch, address=f"10.0.0.{next(addresses)}")
        assert answer.status in (204, 429), answer.body
        return "too_often" if answer.status == 429 else ""

    return call


PROBES: Final[dict[str, Probe]] = {
    "login": login,
    "join_same_room": join_same_room,
    "client_logs": client_log,
    "rest_peer_messages": rest("POST", "rtm/users/ann/peer_messages", {}),
    "rest_room_messages": rest("POST", "rtm/users/ann/channel_messages", {}),
    "rest_events": rest("GET", "rtm/vendor/user_events"),
    "rest_calls": rest("GET", "rtm/message/history/count"),
}
"""Of the rates that no method's declaration names."""


def probes_of(rate: str) -> dict[str, Probe]:
    """By what spends it. A row that nothing spends, and nobody tries, is found here."""
    found = {method.name: calling(method.name) for method in METHODS.values() if method.rate == rate}
    return found or {rate: PROBES[rate]}


CASES: Final = [(rate, spender) for rate in RATES for spender in probes_of(rate)]


def test_rates_that_no_method_names_are_tried_and_told() -> None:
    assert set(PROBES) == set(OTHER_SPENDERS)


@pytest.mark.parametrize(("rate", "spender"), CASES)
async def test_a_rate_at_its_limit_and_one_past_it(make_api: Callable[..., Api], rate: str, spender: str) -> None:
    api = await sync_to_async(make_api)()
    async with clocked_runtimes() as lifetime:
        call = probes_of(rate)[spender](lifetime, api)
        answers = [await call() for _ in range(RATES[rate].calls)]
        assert "too_often" not in answers
        assert await call() == "too_often"
        lifetime.clock.advance(RATES[rate].window_ms / 1000)
        assert await call() != "too_often"


async def test_projects_do_not_spend_each_others_rates(make_api: Callable[..., Api]) -> None:
    limits = {"rates": {"rest_calls": [1, 60_000]}}
    one, other = [await sync_to_async(make_api)(limits=limits) for _ in range(2)]
    async with clocked_runtimes():
        assert (await one.v1("GET", "rooms")).status == 200
        spent = await one.v1("GET", "rooms")
        assert (spent.status, spent.json["error"]["code"], spent.headers["retry-after"]) == (429, "too_often", "60")
        assert (await other.v1("GET", "rooms")).status == 200


@cache
def sources_that_set_sizes() -> dict[str, str]:
    """The source of every test function that gives a project sizes of its own, by its name."""
    found = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        text = path.read_text()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                source = ast.get_source_segment(text, node) or ""
                if '"sizes"' in source or "Sizes(" in source:
                    found[f"{path.name}::{node.name}"] = source
    return found


@pytest.mark.parametrize("size", [field.name for field in fields(Sizes)])
def test_a_size_has_a_test_that_names_it(size: str) -> None:
    named = [test for test, source in sources_that_set_sizes().items() if f'"{size}"' in source or f"{size}=" in source]
    tried = size in REFUSED or bool([test for test in named if "contract" not in test])
    assert tried, f"{size}: no test sets it for a project and tries it"


def test_the_document_has_every_row_with_its_numbers() -> None:
    page = (ROOT / "docs" / "limits.md").read_text()
    for name, rate in RATES.items():
        assert f"| `{name}` | {rate.calls:,} per " in page
    for field in fields(Sizes):
        default, ceiling = getattr(Sizes(), field.name), getattr(CEILINGS, field.name)
        unit = " bytes" if field.name.endswith("_bytes") else ""
        assert f"| `{field.name}` | {default:,}{unit} | {ceiling:,}{unit} |" in page
    quotas = [field for field in Project._meta.fields if field.name.endswith("_quota")]
    assert len(quotas) == 4
    for quota in quotas:
        assert f"| `{quota.name}` | {quota.default:,} | " in page
