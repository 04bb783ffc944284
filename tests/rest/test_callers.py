"""Who is let in, as whom, and from which pages."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.test import Client as Browser

from projects.credentials import create_credential, find_credential
from projects.models import Project, RestCredential
from projects.services import ban_user
from realtime.rest.credentials import KEPT_S
from realtime.rest.requests import MAX_BODY_BYTES
from realtime.runtime import Runtime
from tests.support.client import Client
from tests.support.rest import Answer, Api, basic, request

ROOM = {"channel_name": "math", "payload": "hello"}
ROOM_PATH = "rtm/users/ann/channel_messages"


def project_of(api: Api) -> Project:
    return Project.objects.get(app_id=api.app)


def told(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json["reason"]


async def test_a_wrong_secret_an_unknown_id_and_no_credential_are_refused(api: Api, runtime: Runtime) -> None:
    project = await sync_to_async(project_of)(api)
    made = await sync_to_async(create_credential)(project=project)
    customer_id = made.credential.customer_id
    for headers in (
        {},
        basic(customer_id, "wrong"),
        basic(customer_id, ""),
        basic("0" * 32, made.secret),
        basic("a\0b", made.secret),
        {"authorization": "Basic !!!"},
        {"authorization": f"Bearer {made.secret}"},
        {"x-agora-token": "007nonsense", "x-agora-uid": "ann"},
        {"x-agora-token": "", "x-agora-uid": "ann"},
    ):
        answer = await Api(api.app, headers).vendor("POST", ROOM_PATH, ROOM)
        assert (answer.status, answer.json["result"]) == (401, "failed"), headers
        answer = await Api(api.app, headers).v1("GET", "rooms")
        assert (answer.status, answer.json["error"]["code"]) == (401, "invalid_token"), headers
    assert (await Api(api.app, basic(customer_id, made.secret)).vendor("POST", ROOM_PATH, ROOM)).status == 200
    assert (await Api("0" * 32, basic(customer_id, made.secret)).vendor("POST", ROOM_PATH, ROOM)).status == 401


async def test_a_secret_is_kept_as_a_hash_and_its_use_is_noted(api: Api, runtime: Runtime) -> None:
    project = await sync_to_async(project_of)(api)
    made = await sync_to_async(create_credential)(project=project)
    kept = await sync_to_async(lambda: RestCredential.objects.filter(pk=made.credential.pk).values().get())()
    assert made.secret not in str(kept)
    assert kept["last_used_at"] is None
    server = Api(api.app, basic(made.credential.customer_id, made.secret))
    assert (await server.v1("GET", "rooms")).status == 200
    await runtime.bridge.write(lambda: None)  # behind the note, on one writer
    found = await sync_to_async(find_credential)(made.credential.customer_id)
    assert found is not None
    for _ in range(50):
        found = await sync_to_async(find_credential)(made.credential.customer_id)
        if found is not None and found.last_used_at is not None:
            break
    assert found is not None
    assert found.last_used_at is not None


async def test_a_credential_that_is_made_inactive_is_refused_within_seconds(
    api: Api, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await api.v1("GET", "rooms")).status == 200
    await sync_to_async(lambda: RestCredential.objects.filter(project__app_id=api.app).update(is_active=False))()
    monkeypatch.setattr("realtime.rest.credentials.KEPT_S", 0.0)
    assert KEPT_S == 5.0
    assert (await api.v1("GET", "rooms")).status == 401


async def test_a_token_is_good_for_its_own_user_only(
    api: Api, as_user: Callable[..., Api], runtime: Runtime, open_client: Callable[..., Client]
) -> None:
    ann = await sync_to_async(as_user)(api, "ann")
    assert (await ann.vendor("POST", ROOM_PATH, ROOM)).status == 200
    assert told(await ann.vendor("POST", "rtm/users/bob/channel_messages", ROOM)) == (
        401,
        "The token is another user's.",
    )
    liar = Api(ann.app, {**ann.headers, "x-agora-uid": "bob"})
    assert (await liar.vendor("POST", "rtm/users/bob/channel_messages", ROOM)).status == 401
    for method, path, body in (
        ("GET", "rooms", None),
        ("GET", "bans", None),
        ("POST", "users/ann/tokens", {}),
        ("POST", "users/bob/kick", {}),
        ("PUT", "users/bob/ban", {}),
        ("DELETE", "users/bob/ban", None),
        ("GET", "users/bob/peers/ann/messages", None),
        ("PUT", "rooms/math/attributes", {"attributes": {"a": "1"}, "uid": "bob"}),
        ("POST", "rooms/math/messages", {"uid": "bob", "message": {"type": "TEXT", "text": "x"}}),
        ("GET", "rooms/math/messages", None),  # not in the room
        ("GET", "rooms/math/members", None),
    ):
        assert (await ann.v1(method, path, body)).status == 403, (method, path)
    for path in ("rtm/vendor/user_events", "rtm/vendor/channel_events"):
        assert (await ann.vendor("GET", path)).status == 401
    session = open_client()
    await session.login(ann.app, "ann")
    await session.call("room.join", room="math")
    assert (await ann.v1("GET", "rooms/math/members")).json == {"members": ["ann"], "total": 1}
    assert len((await ann.v1("GET", "rooms/math/messages")).json["messages"]) == 1
    assert (await ann.v1("PUT", "rooms/math/attributes", {"attributes": {"a": "1"}})).status == 200


async def test_a_token_that_has_run_out_and_a_banned_user_are_refused(
    api: Api, as_user: Callable[..., Api], runtime: Runtime
) -> None:
    now = datetime.now(UTC)
    old = await sync_to_async(as_user)(api, "ann", now=now - timedelta(hours=2), valid_s=60)
    assert told(await old.vendor("POST", ROOM_PATH, ROOM)) == (401, "The token has run out: get a new one.")
    ann = await sync_to_async(as_user)(api, "ann")
    project = await sync_to_async(project_of)(api)
    await runtime.bridge.write(ban_user, project_id=project.pk, uid="ann", now=now)
    assert told(await ann.vendor("POST", ROOM_PATH, ROOM)) == (401, "The user is banned.")
    assert (await ann.v1("GET", "rooms/math/attributes")).status == 403


async def test_a_session_cookie_lets_nobody_in(api: Api, runtime: Runtime) -> None:
    def log_in() -> str:
        get_user_model().objects.filter(username="root").delete()
        staff = get_user_model().objects.create_superuser("root", password="x")
        browser = Browser()
        browser.force_login(staff)
        return browser.cookies["sessionid"].value

    cookie = await sync_to_async(log_in)()
    answer = await request("GET", f"/api/v1/projects/{api.app}/rooms", headers={"cookie": f"sessionid={cookie}"})
    assert answer.status == 401
    assert "set-cookie" not in answer.headers


async def test_pages_of_other_origins(make_api: Callable[..., Api], runtime: Runtime) -> None:
    listed = await sync_to_async(make_api)(
        certificate="0" * 32, certificate_enabled=True, allowed_origins="https://app.example"
    )
    path = f"/api/v1/projects/{listed.app}/rooms"
    asks = {"access-control-request-method": "GET", "access-control-request-headers": "authorization"}
    preflight = await request("OPTIONS", path, headers={**asks, "origin": "https://app.example"})
    assert preflight.status == 204
    assert preflight.headers["access-control-allow-origin"] == "https://app.example"
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in preflight.headers
    refused = await request("OPTIONS", path, headers={**asks, "origin": "https://evil.example"})
    assert (refused.status, "access-control-allow-origin" in refused.headers) == (403, False)
    allowed = await listed.v1("GET", "rooms", origin="https://app.example")
    assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (200, "https://app.example")
    sent = await listed.v1(
        "POST",
        "rooms/math/messages",
        {"uid": "a", "message": {"type": "TEXT", "text": "x"}},
        origin="https://evil.example",
    )
    assert (sent.status, "access-control-allow-origin" in sent.headers) == (403, False)
    assert (await listed.v1("GET", "rooms")).json["rooms"] == []
    assert (await listed.v1("GET", "rooms")).headers["vary"] == "Origin"


async def test_a_body_at_its_bound_and_one_past_it(api: Api, runtime: Runtime) -> None:
    path = f"/api/v1/projects/{api.app}/rooms/math/messages"
    for size, status in ((MAX_BODY_BYTES, 400), (MAX_BODY_BYTES + 1, 413)):
        raw = b" " * size
        assert (await request("POST", path, raw=raw, headers=api.headers)).status == status
        # Without a length the bytes are counted as they come.
        unannounced = {**api.headers, "content-length": ""}
        assert (await request("POST", path, raw=raw, headers=unannounced)).status == status


async def test_what_is_no_json_and_what_is_no_path(api: Api, runtime: Runtime) -> None:
    path = f"/api/v1/projects/{api.app}/rooms/math/messages"
    for raw in (b"", b"{", b"NaN", b'{"uid":"a","message":{"type":"TEXT","text":"\\ud800"}}', b"\xff", b"[" * 100_000):
        answer = await request("POST", path, raw=raw, headers=api.headers)
        assert (answer.status, answer.json["error"]["code"]) == (400, "invalid_params"), raw[:20]
    nowhere = await api.v1("GET", "nowhere")
    assert (nowhere.status, nowhere.json["error"]["code"]) == (404, "method_not_found")
    assert (await api.vendor("GET", "nowhere")).json["result"] == "failed"
    wrong = await api.v1("PATCH", "rooms")
    assert (wrong.status, wrong.headers["allow"], "error" in wrong.json) == (405, "GET", True)
    for uid in ("%00", "a" * 65, "null", "%E2%82%AC", "%C3%28"):
        answer = await api.vendor("POST", f"rtm/users/{uid}/channel_messages", ROOM)
        assert (answer.status, answer.json["result"]) == (400, "failed"), uid
    for key in ("a b", "a" * 65, "ä"):
        assert (await api.vendor("POST", ROOM_PATH, ROOM, idempotency_key=key)).status == 400
    assert (await api.vendor("GET", "rtm/message/history/count?" + "&".join(["a=1"] * 2000))).status == 400


async def test_a_draining_process_sends_callers_elsewhere(api: Api, runtime: Runtime) -> None:
    runtime.draining = True
    answer = await api.v1("GET", "rooms")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert (await api.vendor("POST", ROOM_PATH, ROOM)).status == 500


async def test_only_by_https_where_the_service_is(api: Api, runtime: Runtime, settings: pytest.FixtureRequest) -> None:
    settings.SECURE_SSL_REDIRECT = True  # type: ignore[attr-defined]
    assert (await api.v1("GET", "rooms")).status == 403
