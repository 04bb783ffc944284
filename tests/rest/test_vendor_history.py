"""The vendor's history query and its event queries (docs/contract.md 10)."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from asgiref.sync import sync_to_async

from activity.recorder import Recorder
from projects.models import Project
from projects.services import issue_token
from realtime.runtime import Runtime
from tests.support.client import TAKES_MEDIA, Client
from tests.support.doubles import until
from tests.support.media import ready_media
from tests.support.rest import Answer, Api

ALWAYS = {"start_time": "2020-01-01T00:00:00Z", "end_time": "2099-01-01T00:00:00Z"}


async def say(api: Api, sender: str, channel: str, text: str, *, historical: bool = True) -> None:
    body = {"channel_name": channel, "payload": text, "enable_historical_messaging": historical}
    assert (await api.vendor("POST", f"rtm/users/{sender}/channel_messages", body)).status == 200


async def tell(api: Api, sender: str, peer: str, text: str, *, historical: bool = True) -> None:
    body = {"destination": peer, "payload": text, "enable_historical_messaging": historical}
    assert (await api.vendor("POST", f"rtm/users/{sender}/peer_messages", body)).status == 200


def later_than(runtime: Runtime, ms: int) -> bool:
    return runtime.clock_ms() > ms


async def ask(api: Api, **filtered: str) -> Answer:
    return await api.vendor("POST", "rtm/message/history/query", {"filter": {**ALWAYS, **filtered}, "limit": 100})


async def found(api: Api, **filtered: str) -> list[dict[str, Any]]:
    """The messages at the location that a query answers with; as many as the count says."""
    asked = await ask(api, **filtered)
    assert asked.status == 200, asked.body
    location: str = asked.json["location"]
    assert location.startswith("~/rtm/message/history/query/")
    answer = await api.vendor("GET", location[2:])
    assert (answer.status, answer.json["code"]) == (200, "ok")
    query = "&".join(f"{name}={value}" for name, value in {**ALWAYS, **filtered}.items())
    counted = await api.vendor("GET", f"rtm/message/history/count?{query}")
    messages: list[dict[str, Any]] = answer.json["messages"]
    assert counted.json["count"] == len(messages)
    return messages


def payloads(messages: list[dict[str, Any]]) -> list[str]:
    return [message["payload"] for message in messages]


async def test_messages_sent_with_the_history_flag_by_who_and_to_whom(
    api: Api, open_client: Callable[..., Client]
) -> None:
    await say(api, "ann", "math", "1")
    await tell(api, "ann", "bob", "2")
    await say(api, "bob", "math", "3")
    await say(api, "bob", "math", "forgotten", historical=False)
    await tell(api, "ann", "bob", "forgotten", historical=False)
    await tell(api, "bob", "ann", "4")
    ann = open_client()
    await ann.login(api.app, "ann")
    await ann.call("room.join", room="math")
    message = {"type": "RAW", "raw": "AAEC"}
    await ann.call("room.send", room="math", message_id="m5", message=message, historical=True)
    await ann.call("room.send", room="math", message_id="m6", message=message)
    assert payloads(await found(api, destination="math")) == ["1", "3", "AAEC"]
    assert payloads(await found(api, destination="bob")) == ["2"]
    assert payloads(await found(api, source="ann")) == ["1", "2", "AAEC"]
    assert payloads(await found(api, source="bob", destination="math")) == ["3"]
    assert payloads(await found(api, source="carol")) == []
    (only,) = await found(api, source="ann", destination="bob")
    assert (only["src"], only["dst"], only["message_type"]) == ("ann", "bob", "peer_message")
    assert abs(only["ms"] - datetime.now(UTC).timestamp() * 1000) < 60_000
    assert (await found(api, destination="math"))[0]["message_type"] == "group_message"


async def test_a_message_with_a_file_is_told_as_json(api: Api, open_client: Callable[..., Client]) -> None:
    ann = open_client()
    await ann.login(api.app, "ann", **TAKES_MEDIA)
    await ann.call("room.join", room="math")
    media = await ready_media(api.app, "ann")
    message = {"type": "FILE", "media": media}
    await ann.call("room.send", room="math", message_id="m1", message=message, historical=True)
    await ann.call("peer.send", peer="bob", message_id="m2", message=message, historical=True)
    sent = (await ann.expect("room.media_sent"))["body"]
    assert [json.loads(payload) for payload in payloads(await found(api, source="ann"))] == [sent, sent]


async def test_a_span_of_time_an_offset_a_limit_and_an_order(api: Api, runtime: Runtime) -> None:
    for number in range(4):
        await say(api, "ann", "math", str(number))
        await until(partial(later_than, runtime, runtime.clock_ms()))
    sent = [message["ms"] for message in await found(api, destination="math")]
    assert payloads(await found(api, destination="math")) == ["0", "1", "2", "3"]

    def at(ms: int) -> str:
        return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    assert payloads(await found(api, destination="math", start_time=at(sent[1]), end_time=at(sent[2]))) == ["1", "2"]
    assert payloads(await found(api, source="ann", start_time=at(sent[3]), end_time=at(sent[3]))) == ["3"]
    assert await found(api, destination="math", start_time=at(sent[2]), end_time=at(sent[1])) == []
    for order, first in (("asc", "1"), ("desc", "2")):
        body = {"filter": {**ALWAYS, "destination": "math"}, "offset": 1, "limit": 1, "order": order}
        asked = (await api.vendor("POST", "rtm/message/history/query", body)).json
        assert (asked["offset"], asked["limit"], asked["order"]) == (1, 1, order)
        assert payloads((await api.vendor("GET", asked["location"][2:])).json["messages"]) == [first]


async def test_what_cannot_be_asked(api: Api, make_api: Callable[..., Api], runtime: Runtime) -> None:
    assert (await ask(api)).status == 400
    for wrong in (
        {"start_time": "yesterday"},
        {"end_time": "2026-01-15T09:00:00+08:00"},
        {"start_time": "0001-01-01T00:00:00Z"},
    ):
        assert (await ask(api, destination="math", **wrong)).status == 400, wrong
    await say(api, "ann", "math", "1")
    location = (await ask(api, destination="math")).json["location"]
    other = await sync_to_async(make_api)()
    assert (await other.vendor("GET", location[2:])).status == 404
    assert (await api.vendor("GET", location[2:-2] + "xx")).status == 404


async def test_a_user_finds_their_own_messages_and_their_rooms(api: Api, open_client: Callable[..., Client]) -> None:
    await say(api, "bob", "math", "1")
    await tell(api, "bob", "ann", "2")
    await tell(api, "bob", "carol", "3")
    project = await sync_to_async(Project.objects.get)(app_id=api.app)
    token = await sync_to_async(issue_token)(project=project, uid="ann", now=datetime.now(UTC))
    ann = Api(api.app, {"x-agora-token": token.token, "x-agora-uid": "ann"})
    assert payloads(await found(ann, destination="ann")) == ["2"]
    assert payloads(await found(ann, source="ann")) == []
    for filtered in ({"destination": "math"}, {"destination": "carol"}, {"source": "bob"}):
        assert (await ask(ann, **filtered)).status == 401, filtered
    session = open_client()
    await session.login(api.app, "ann")
    await session.call("room.join", room="math")
    assert payloads(await found(ann, destination="math")) == ["1"]
    location = (await ask(ann, destination="math")).json["location"]
    await session.call("room.leave", room="math")
    assert (await ann.vendor("GET", location[2:])).status == 401  # asked again when it is read


async def test_events_are_handed_out_once(api: Api, open_client: Callable[..., Client], runtime: Runtime) -> None:
    ann = open_client()
    await ann.login(api.app, "ann")
    await ann.call("room.join", room="math")
    await ann.call("room.leave", room="math")
    await ann.call("session.logout")
    await runtime.part(Recorder).drain()
    users = (await api.vendor("GET", "rtm/vendor/user_events")).json
    assert users["result"] == "success"
    assert [(event["type"], event["user_id"]) for event in users["events"]] == [("Login", "ann"), ("Logout", "ann")]
    channels = (await api.vendor("GET", "rtm/vendor/channel_events")).json["events"]
    assert [(event["type"], event["user_id"], event["group_id"]) for event in channels] == [
        ("Join", "ann", "math"),
        ("Leave", "ann", "math"),
    ]
    assert channels[0]["ms"] <= channels[1]["ms"]
    for kind in ("user_events", "channel_events"):
        assert (await api.vendor("GET", f"rtm/vendor/{kind}")).json["events"] == []
