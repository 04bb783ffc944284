"""Every operation of both documents, with another project's credential and tokens: refused, and nothing is changed."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from asgiref.sync import sync_to_async

from activity.models import VendorEvent
from config.api import v1, vendor
from messaging.models import Entry, Stream
from projects.models import Project, Removal
from projects.services import issue_token
from realtime.runtime import Runtime
from rooms.models import Room
from tests.support.client import Client
from tests.support.media import ready_media
from tests.support.rest import Api, request

IDS: Final = {"room": "math", "uid": "ann", "peer": "bob", "handle": "x", "media": "0" * 32, "seq": "1"}
QUERIES: Final = {
    "/history/count": "?destination=math&start_time=2020-01-01T00:00:00Z&end_time=2099-01-01T00:00:00Z",
    "/member_counts": "?room=math",
    "/attributes": "?uid=ann",
    "/rooms/math/messages/1": "?uid=ann",
    "/rooms/math/messages": "?sender=ann&message_id=m1&uid=ann",
}
BODIES: Final[dict[str, Any]] = {
    "/peer_messages": {"destination": "bob", "payload": "x", "enable_offline_messaging": True},
    "/channel_messages": {"channel_name": "math", "payload": "x"},
    "/history/query": {
        "filter": {"destination": "math", "start_time": "2020-01-01T00:00:00Z", "end_time": "2099-01-01T00:00:00Z"}
    },
    "/rooms/math/messages": {"uid": "ann", "message": {"type": "TEXT", "text": "x"}},
    "/peers/bob/messages": {"message": {"type": "TEXT", "text": "x"}, "offline": True},
    "/attributes": {"uid": "ann", "attributes": {"a": "2"}},
    "/settings": {"media_days": 30},
    "/tokens": {},
    "/kick": {},
    "/ban": {},
}


def operations() -> Iterator[tuple[str, str]]:
    """Method and path of each, with the App ID left to be filled in."""
    for interface in (v1, vendor):
        for path, methods in interface.get_openapi_schema()["paths"].items():
            for method in methods:
                yield method.upper(), re.sub(r"\{(?!app_id)(\w+)\}", lambda found: IDS[found[1]], path)


def filled(method: str, path: str) -> tuple[str, Any]:
    """The path with its query, and the body of a call that would be right."""
    body = next((body for end, body in BODIES.items() if path.endswith(end)), None)
    query = next((query for end, query in QUERIES.items() if path.endswith(end)), "")
    return path + query, None if method in ("GET", "DELETE") else body


def state_of(project: Project) -> dict[str, Any]:
    return {
        "streams": sorted(Stream.objects.filter(project=project).values_list("name", "head", "epoch")),
        "entries": Entry.objects.filter(stream__project=project).count(),
        "rooms": list(Room.objects.filter(project=project).values()),
        "removals": list(Removal.objects.filter(project=project).values()),
        "events": VendorEvent.objects.filter(project=project).count(),
    }


OPERATIONS: Final = sorted(set(operations()))


def test_the_walk_finds_what_is_there() -> None:
    assert len(OPERATIONS) >= 23


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_another_projects_callers_do_and_learn_nothing(
    make_api: Callable[..., Api], open_client: Callable[..., Client], runtime: Runtime, method: str, path: str
) -> None:
    theirs, ours = await sync_to_async(make_api)(), await sync_to_async(make_api)()
    projects = [await sync_to_async(Project.objects.get)(app_id=api.app) for api in (theirs, ours)]
    ann = open_client()
    await ann.login(theirs.app, "ann")
    await ann.call("room.join", room="math")
    await ann.send("math", "a secret", "m1")
    await ann.call("room.set_attributes", room="math", message_id="m2", attributes={"a": "1"})
    await ready_media(theirs.app, "ann", media_id=IDS["media"], name="a secret")
    await ann.call("session.ping")
    ann.texts()
    before = await sync_to_async(state_of)(projects[0])
    token = await sync_to_async(issue_token)(project=projects[1], uid="ann", now=datetime.now(UTC))
    target, body = filled(method, path)
    for headers in ({}, ours.headers, {"x-agora-token": token.token, "x-agora-uid": "ann"}):
        answer = await request(method, target.replace("{app_id}", theirs.app), body=body, headers=headers)
        assert answer.status == 401
        assert b"secret" not in answer.body
    await ann.expect_nothing("room.sent")
    assert await sync_to_async(state_of)(projects[0]) == before
    # The same call is right in one's own project, where the same names are others.
    answer = await request(method, target.replace("{app_id}", ours.app), body=body, headers=ours.headers)
    is_nowhere = path.endswith((IDS["handle"], IDS["media"])) or (method == "DELETE" and "/messages" in path)
    assert answer.status == (404 if is_nowhere else 200), answer.body
    assert b"secret" not in answer.body
    assert ann.closed is None
    assert await sync_to_async(state_of)(projects[0]) == before
