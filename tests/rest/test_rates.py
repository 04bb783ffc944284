"""What a user with a token spends: as much as on the socket for the same thing, and nothing of the project's."""

from collections.abc import Callable
from typing import Any, Final

import pytest
from asgiref.sync import sync_to_async

from messaging.selectors import from_ms
from projects.limits import RATES
from realtime.documents import SPENT_BY_REST
from realtime.registry import METHODS
from tests.rest.test_tenants import filled, operations
from tests.support.client import CallFailed
from tests.support.clock import Lifetime, clocked_runtimes
from tests.support.rest import Answer, Api, request

V1: Final = "/api/v1/projects/{app_id}"
VENDOR: Final = "/dev/v2/project/{app_id}/rtm"
SAME: Final = {
    ("GET", f"{V1}/rooms/math/members"): "room.members",
    ("GET", f"{V1}/member_counts"): "room.member_counts",
    ("GET", f"{V1}/rooms/math/attributes"): "room.get_attributes",
    ("PUT", f"{V1}/rooms/math/attributes"): "room.set_attributes",
    ("PATCH", f"{V1}/rooms/math/attributes"): "room.update_attributes",
    ("DELETE", f"{V1}/rooms/math/attributes"): "room.delete_attributes",
    ("GET", f"{V1}/rooms/math/messages"): "room.history",
    ("POST", f"{V1}/rooms/math/messages"): "room.send",
    ("DELETE", f"{V1}/rooms/math/messages"): "room.delete_message",
    ("DELETE", f"{V1}/rooms/math/messages/1"): "room.delete_message",
    ("GET", f"{V1}/users/ann/peers/bob/messages"): "peer.history",
    ("POST", f"{V1}/users/ann/peers/bob/messages"): "peer.send",
    ("POST", f"{VENDOR}/users/ann/peer_messages"): "peer.send",
    ("POST", f"{VENDOR}/users/ann/channel_messages"): "room.send",
    ("POST", f"{VENDOR}/message/history/query"): "room.history",
    ("GET", f"{VENDOR}/message/history/query/x"): "room.history",
    ("GET", f"{VENDOR}/message/history/count"): "room.history",
}
"""The method that does the same on the socket. Everything else by REST is for the project's server, and costs a user
one of `session`."""


def rate_of(operation: tuple[str, str]) -> str:
    return str(METHODS[SAME[operation]].rate) if operation in SAME else "session"


async def call(user: Api, operation: tuple[str, str]) -> int:
    method, path = operation
    target, body = filled(method, path.replace("{app_id}", user.app))
    return (await request(method, target, body=body, headers=user.headers)).status


async def enter(
    lifetime: Lifetime, make_api: Callable[..., Api], as_user: Callable[..., Api], rates: dict[str, Any], *uids: str
) -> tuple[Api, ...]:
    """The server of a project with these rates, and users of it."""
    api = await sync_to_async(make_api)(limits={"rates": rates})
    now = from_ms(lifetime.runtime.clock_ms())
    return (api, *[await sync_to_async(as_user)(api, uid, now=now) for uid in uids])


def test_every_call_is_known_and_what_it_costs_a_user_is_documented() -> None:
    assert set(SAME) <= set(operations())
    assert set(map(rate_of, operations())) == set(SPENT_BY_REST)


@pytest.mark.parametrize("operation", list(operations()), ids=" ".join)
async def test_a_call_costs_a_user_what_the_same_costs_on_the_socket(
    make_api: Callable[..., Api], as_user: Callable[..., Api], operation: tuple[str, str]
) -> None:
    """Also while the user has no session. Others spend nothing of it, and nothing is the project's."""
    rates = {name: [1_000, 60_000] for name in RATES if not name.startswith("rest_")}
    rates |= {rate_of(operation): [1, 60_000]}
    async with clocked_runtimes() as lifetime:
        api, ann, bob = await enter(lifetime, make_api, as_user, rates, "ann", "bob")
        assert await call(ann, operation) != 429
        assert await call(ann, operation) == 429
        assert await call(bob, operation) != 429
        assert await call(api, operation) != 429


async def test_a_user_spends_nothing_of_the_project(make_api: Callable[..., Api], as_user: Callable[..., Api]) -> None:
    async with clocked_runtimes() as lifetime:
        api, ann = await enter(lifetime, make_api, as_user, {"rest_calls": [1, 60_000]}, "ann")
        assert [(await ann.v1("GET", "rooms/math/attributes")).status for _ in range(3)] == [200] * 3
        assert (await api.v1("GET", "rooms")).status == 200


@pytest.mark.parametrize("rate", ["message", "set_room_attributes"])
async def test_a_user_with_a_session_here_spends_the_sessions_own_rates(
    make_api: Callable[..., Api], as_user: Callable[..., Api], rate: str
) -> None:
    """The same ones by REST and on the socket: neither has them a second time."""
    async with clocked_runtimes() as lifetime:
        _, user = await enter(lifetime, make_api, as_user, {rate: [2, 60_000]}, "ann")
        ann = await lifetime.enter(user.app, "ann", "math")

        async def on_socket() -> Any:
            if rate == "message":
                return await ann.send("math", "x", "m1")
            return await ann.call("room.set_attributes", room="math", message_id="m1", attributes={"a": "1"})

        async def by_rest() -> Answer:
            if rate == "message":
                body = {"channel_name": "math", "payload": "x"}
                return await user.vendor("POST", "rtm/users/ann/channel_messages", body)
            return await user.v1("PATCH", "rooms/math/attributes", {"attributes": {"a": "1"}})

        assert (await by_rest()).status == 200
        await on_socket()
        with pytest.raises(CallFailed) as refused:
            await on_socket()
        assert refused.value.name == "too_often"
        spent = await by_rest()
        assert (spent.status, spent.headers["retry-after"]) == (429, "30")
