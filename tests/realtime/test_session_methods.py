"""Logging in and out, and who may (docs/contract.md 2 and 6)."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from asgiref.sync import sync_to_async

from projects.models import Project
from realtime.runtime import Runtime
from realtime.tenants import KEPT_S, Tenants
from tests.support.client import CallFailed, Client, Closed, InProcess
from tests.support.clock import Clock

ORIGINS = "https://app.example\nhttps://school.example"


async def refusal(client: Client, app: str, uid: str = "ann", **params: Any) -> str:
    with pytest.raises(CallFailed) as refused:
        await client.login(app, uid, **params)
    return refused.value.name


async def test_a_login_says_what_the_client_is_to_do(open_client: Callable[..., Client], app: str) -> None:
    answer = await open_client().login(app, "ann", token=None, client={"sdk": "tests", "version": "1"})
    assert (answer["heartbeat_ms"], answer["ack_bytes"]) == (3_000, 262_144)
    assert (answer["resumed"], answer["streams"]) == (False, {})
    assert answer["session"]
    assert answer["server_ts"] > 1_600_000_000_000


async def test_a_later_login_of_a_uid_has_a_larger_generation(open_client: Callable[..., Client], app: str) -> None:
    first = await open_client().login(app, "ann")
    second = await open_client().login(app, "ann")
    assert second["generation"] > first["generation"]
    assert second["session"] != first["session"]


async def test_one_connection_logs_in_once(open_client: Callable[..., Client], app: str) -> None:
    client = open_client()
    await client.login(app, "ann")
    assert await refusal(client, app, "ann") == "already_logged_in"
    assert await refusal(client, app, "bob") == "already_logged_in"
    assert await client.call("session.ping") == {}


async def test_an_unknown_app_is_refused(open_client: Callable[..., Client]) -> None:
    assert await refusal(open_client(), "0" * 32) == "invalid_app_id"


async def test_an_inactive_project_is_refused(
    open_client: Callable[..., Client], make_project: Callable[..., Project]
) -> None:
    project = await sync_to_async(make_project)(is_active=False)
    assert await refusal(open_client(), project.app_id) == "invalid_app_id"


@pytest.mark.parametrize("params", [{}, {"token": None}, {"token": ""}, {"token": "007nonsense"}])
async def test_an_enabled_certificate_wants_a_token(
    open_client: Callable[..., Client], make_project: Callable[..., Project], params: dict[str, Any]
) -> None:
    project = await sync_to_async(make_project)(certificate="0123456789abcdef" * 2, certificate_enabled=True)
    assert await refusal(open_client(), project.app_id, **params) == "invalid_token"


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        ("https://app.example", "invalid_token"),  # past the origin: the token is looked at
        ("https://school.example", "invalid_token"),
        (None, "invalid_token"),
        ("https://elsewhere.example", "not_authorized"),
        ("null", "not_authorized"),
    ],
)
async def test_a_project_with_a_certificate_takes_the_origins_it_lists(
    runtime: Runtime, make_project: Callable[..., Project], origin: str | None, name: str
) -> None:
    project = await sync_to_async(make_project)(
        certificate="0123456789abcdef" * 2, certificate_enabled=True, allowed_origins=ORIGINS
    )
    headers = [] if origin is None else [(b"origin", origin.encode())]
    client = Client(InProcess(runtime, headers))
    assert await refusal(client, project.app_id) == name
    await client.close()


async def test_while_the_certificate_is_off_every_origin_is_taken(
    runtime: Runtime, make_project: Callable[..., Project]
) -> None:
    project = await sync_to_async(make_project)(allowed_origins=ORIGINS)
    client = Client(InProcess(runtime, [(b"origin", b"https://elsewhere.example")]))
    assert await client.login(project.app_id, "ann")
    await client.close()


async def test_after_a_refused_login_the_connection_may_try_again(open_client: Callable[..., Client], app: str) -> None:
    client = open_client()
    assert await refusal(client, "0" * 32) == "invalid_app_id"
    assert await refusal(client, app, "null") == "invalid_params"
    assert await client.login(app, "ann")


async def test_a_change_of_a_project_is_seen_by_logins_a_few_seconds_later(
    runtime: Runtime, make_project: Callable[..., Project]
) -> None:
    project = await sync_to_async(make_project)()
    clock = Clock(runtime.loop)
    tenants = Tenants(cast(Any, clock), runtime.bridge, clock.now_ms)
    assert await tenants.get(project.app_id) is not None
    await sync_to_async(Project.objects.filter(pk=project.pk).update)(is_active=False)
    clock.advance(KEPT_S)
    assert await tenants.get(project.app_id) is None


async def test_a_logout_closes_the_connection_for_good(open_client: Callable[..., Client], app: str) -> None:
    client = open_client()
    await client.login(app, "ann")
    assert await client.call("session.logout") == {}
    closing = await client.expect("session.closing")
    assert closing == {"code": 1000, "name": "logged_out", "reconnect": False, "delay_ms": 0}
    assert await client.expect_close() == 1000


async def test_after_a_logout_the_same_uid_and_another_may_log_in(open_client: Callable[..., Client], app: str) -> None:
    client = open_client()
    session = (await client.login(app, "ann"))["session"]
    await client.call("room.join", room="math")
    await client.call("session.logout")
    again, other = open_client(), open_client()
    answer = await again.login(app, "ann", session=session)
    assert (answer["resumed"], answer["streams"]) == (False, {}), "what was logged out cannot be resumed"
    assert (await other.login(app, "bob"))["streams"] == {}
    assert (await again.call("room.member_counts", rooms=["math"]))["counts"] == {"math": 0}


@pytest.mark.parametrize("method", ["session.ping", "room.join"])
async def test_after_a_logout_nothing_is_answered(open_client: Callable[..., Client], app: str, method: str) -> None:
    client = open_client()
    await client.login(app, "ann")
    await client.call("session.logout")
    await client.expect_close()
    late = await client.start(method, **({"room": "math"} if method == "room.join" else {}))
    await client.close()
    assert not late.done() or isinstance(late.exception(), Closed)


async def test_a_heartbeat_is_answered_also_before_the_login(open_client: Callable[..., Client], app: str) -> None:
    client = open_client()
    assert await client.call("session.ping") == {}
    await client.login(app, "ann")
    assert await client.call("session.ping", received=client.received) == {}


async def test_a_notification_is_done_and_not_answered(open_client: Callable[..., Client], app: str) -> None:
    client = open_client()
    await client.notify("session.login", app=app, uid="ann")
    await client.notify("room.join", room="math")
    await client.notify("room.send", room="math", message_id="m1", message={"type": "TEXT"})
    await client.call("session.ping")
    counts = (await client.call("room.member_counts", rooms=["math"]))["counts"]
    assert counts == {"math": 1}
    assert not any('"result"' in frame and '"id":null' in frame for frame in client.frames)


@pytest.mark.parametrize("uid", ["bob", "ann "])
async def test_a_session_is_resumed_by_its_own_uid_only(open_client: Callable[..., Client], app: str, uid: str) -> None:
    ann = open_client()
    session = (await ann.login(app, "ann"))["session"]
    await ann.call("room.join", room="math")
    answer = await open_client().login(app, uid, session=session)
    assert (answer["resumed"], answer["streams"]) == (False, {})
    assert await ann.call("room.members", room="math") == {"members": ["ann"], "total": 1}


async def test_a_session_that_never_was_is_a_new_one(open_client: Callable[..., Client], app: str) -> None:
    answer = await open_client().login(app, "ann", session="never-was", streams={"room:math": {"seq": 3, "epoch": "x"}})
    assert (answer["resumed"], answer["streams"]) == (False, {})
    assert answer["session"] != "never-was"
