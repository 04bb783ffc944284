"""What clients' SDKs send about themselves: who may, how much, how often, and what is kept."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import LazySettings
from django.utils import timezone

from activity.client_logs import ADDRESS_RATE, MAX_BATCH_BYTES
from activity.models import ClientLog
from activity.services import client_logs
from projects.limits import Rate
from projects.models import Project
from projects.services import ban_user, issue_token
from realtime.runtime import Runtime
from tests.support.clock import clocked_runtimes
from tests.support.rest import Answer, request

LINE = {"ts": 1_700_000_000_000, "level": "info", "text": "connected"}


def batch(project: Project, **changed: Any) -> dict[str, Any]:
    return {
        "app": project.app_id,
        "uid": "ann",
        "token": None,
        "sdk": "rostrum-js",
        "version": "0.1.0",
        "lines": [LINE],
        **changed,
    }


async def post(body: Any = None, **options: Any) -> Answer:
    return await request("POST", "/rtm/logs", body=body, **options)


@sync_to_async
def kept(project: Project) -> list[ClientLog]:
    return list(ClientLog.objects.filter(project=project).order_by("pk"))


async def uids(project: Project) -> list[str]:
    return [log.uid for log in await kept(project)]


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()


@pytest.fixture
def guarded(make_project: Callable[..., Project]) -> Project:
    """Its certificate is enabled, and it has a list of origins."""
    return make_project(certificate_enabled=True, allowed_origins="https://app.example")


def token_of(project: Project, uid: str, age: timedelta = timedelta()) -> str:
    return issue_token(project=project, uid=uid, now=datetime.now(UTC) - age, valid_s=3600).token


async def test_a_batch_is_kept_as_it_came(project: Project, runtime: Runtime) -> None:
    lines = [LINE, {"ts": 0, "level": "error", "text": "\u0000 \U0001f600 <b>"}]
    answer = await post(batch(project, lines=lines))
    assert (answer.status, answer.body) == (204, b"")
    (log,) = await kept(project)
    assert (log.uid, log.sdk, log.version, json.loads(log.lines)) == ("ann", "rostrum-js", "0.1.0", lines)
    assert abs(timezone.now() - log.received_at) < timedelta(minutes=1)


@pytest.mark.parametrize("level", ["error", "warn", "info", "track", "debug"])
async def test_every_level_of_the_sdk_is_taken(project: Project, runtime: Runtime, level: str) -> None:
    assert (await post(batch(project, lines=[{**LINE, "level": level}]))).status == 204


async def test_pages_of_any_origin_may_ask_and_read_the_answer(project: Project, runtime: Runtime) -> None:
    headers = {"origin": "https://app.example"}
    asked = await request(
        "OPTIONS",
        "/rtm/logs",
        headers={
            **headers,
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type",
        },
    )
    assert asked.status == 204
    assert asked.headers["access-control-allow-methods"] == "OPTIONS, POST"
    assert asked.headers["access-control-allow-headers"] == "content-type"
    answers = [
        asked,
        await post(batch(project), headers=headers),
        await post({}, headers=headers),
        await request("GET", "/rtm/logs", headers=headers),
    ]
    assert [answer.status for answer in answers] == [204, 204, 400, 405]
    assert {answer.headers["access-control-allow-origin"] for answer in answers} == {"*"}


async def test_a_page_that_leaves_may_send_without_being_asked(project: Project, runtime: Runtime) -> None:
    """A beacon's text needs no preflight."""
    assert (await post(batch(project), headers={"content-type": "text/plain;charset=UTF-8"})).status == 204


@pytest.mark.parametrize(
    "changed",
    [
        {"app": "short"},
        {"uid": ""},
        {"uid": "null"},
        {"uid": "a" * 65},
        {"uid": "\u00a0" * 33},
        {"uid": "ann/bob"},
        {"lines": []},
        {"lines": [{**LINE, "ts": -1}]},
        {"lines": [{**LINE, "ts": 253_402_300_800_000}]},
        {"lines": [{**LINE, "level": "loud"}]},
        {"lines": [{"ts": 0, "level": "info"}]},
        {"sdk": "a" * 65},
        {"sdk": "\u0000"},
        {"version": "1" * 33},
        {"version": "\u0000"},
        {"token": "a" * 5_000},
        {"more": 1},
    ],
)
async def test_what_is_no_batch_is_refused(project: Project, runtime: Runtime, changed: dict[str, Any]) -> None:
    answer = await post(batch(project, **changed))
    assert (answer.status, answer.json["error"]["code"]) == (400, "invalid_params")
    assert await kept(project) == []


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"lines": "\xff"}', b'{"uid": "\\ud800"}'])
async def test_what_is_no_json_is_refused(project: Project, runtime: Runtime, raw: bytes) -> None:
    answer = await post(raw=raw)
    assert (answer.status, answer.json["error"]["code"]) == (400, "invalid_params")


async def test_the_last_moment_of_a_clock_is_taken(project: Project, runtime: Runtime) -> None:
    assert (await post(batch(project, lines=[{**LINE, "ts": 253_402_300_799_999}]))).status == 204


async def test_a_batch_at_its_size_and_one_past_it(project: Project, runtime: Runtime) -> None:
    empty = len(json.dumps(batch(project, lines=[{**LINE, "text": ""}])))
    for size, status in ((MAX_BATCH_BYTES, 204), (MAX_BATCH_BYTES + 1, 413)):
        body = json.dumps(batch(project, lines=[{**LINE, "text": "x" * (size - empty)}])).encode()
        assert len(body) == size
        assert (await post(raw=body)).status == status
    assert len(await kept(project)) == 1


# -- who may


async def test_a_project_that_is_not_there_takes_nothing(project: Project, runtime: Runtime) -> None:
    answer = await post(batch(project, app="0" * 32))
    assert (answer.status, answer.json["error"]["code"]) == (401, "invalid_app_id")


async def test_with_the_certificate_enabled_a_batch_shows_the_users_own_token(
    guarded: Project, make_project: Callable[..., Project], runtime: Runtime
) -> None:
    other = await sync_to_async(make_project)(certificate_enabled=True)
    tokens = {
        "none": None,
        "no token": "007nonsense",
        "another user's": await sync_to_async(token_of)(guarded, "bob"),
        "another project's": await sync_to_async(token_of)(other, "ann"),
        "old": await sync_to_async(token_of)(guarded, "ann", timedelta(hours=2)),
    }
    answers = {name: await post(batch(guarded, token=token)) for name, token in tokens.items()}
    assert {name: (answer.status, answer.json["error"]["code"]) for name, answer in answers.items()} == {
        "none": (401, "invalid_token"),
        "no token": (401, "invalid_token"),
        "another user's": (401, "invalid_token"),
        "another project's": (401, "invalid_token"),
        "old": (401, "token_expired"),
    }
    assert await kept(guarded) == []
    own = await sync_to_async(token_of)(guarded, "ann")
    assert (await post(batch(guarded, token=own))).status == 204
    assert await uids(guarded) == ["ann"]


async def test_a_page_that_may_not_log_in_may_not_send(guarded: Project, runtime: Runtime) -> None:
    own = await sync_to_async(token_of)(guarded, "ann")
    statuses = [
        (await post(batch(guarded, token=own), headers={"origin": origin})).status
        for origin in ("https://app.example", "https://evil.example")
    ]
    assert statuses == [204, 403]


async def test_a_banned_user_may_not_send(project: Project, runtime: Runtime) -> None:
    await sync_to_async(ban_user)(project_id=project.pk, uid="ann", now=timezone.now())
    assert (await post(batch(project))).json["error"]["code"] == "banned"
    assert (await post(batch(project, uid="bob"))).status == 204


# -- how often; a project's rate is in tests/test_limits.py


async def test_an_address_at_its_rate_and_one_past_it(project: Project) -> None:
    assert Rate(100, 60_000) == ADDRESS_RATE
    async with clocked_runtimes() as lifetime:
        statuses = [(await post({}, address="10.1.1.1")).status for _ in range(ADDRESS_RATE.calls)]
        assert set(statuses) == {400}  # also what is no batch counts
        spent = await post(batch(project), address="10.1.1.1")
        assert (spent.status, spent.json["error"]["code"], spent.headers["retry-after"]) == (429, "too_often", "1")
        assert (await post(batch(project), address="10.1.1.2")).status == 204
        lifetime.clock.advance(1)
        assert (await post(batch(project), address="10.1.1.1")).status == 204


async def test_behind_a_trusted_proxy_the_address_is_what_that_one_says(settings: LazySettings) -> None:
    async def spend(forwarded: str) -> int:
        for _ in range(ADDRESS_RATE.calls):
            status = (await post({}, headers={"x-forwarded-for": forwarded})).status
        return status

    async with clocked_runtimes():
        settings.TRUST_PROXY = True
        assert await spend("10.9.9.9, 10.1.1.1") == 400
        assert (await post({}, headers={"x-forwarded-for": "10.1.1.1"})).status == 429
        assert (await post({}, headers={"x-forwarded-for": "10.9.9.9, 10.1.1.2"})).status == 400
        settings.TRUST_PROXY = False
        assert await spend("10.2.2.2") == 400
        assert (await post({}, headers={"x-forwarded-for": "10.3.3.3"})).status == 429


async def test_projects_do_not_spend_each_others_rate(make_project: Callable[..., Project], runtime: Runtime) -> None:
    limits = {"rates": {"client_logs": [1, 60_000]}}
    one, other = [await sync_to_async(make_project)(limits=limits) for _ in range(2)]
    statuses = [(await post(batch(project))).status for project in (one, one, other)]
    assert statuses == [204, 429, 204]


# -- how much


async def test_a_project_keeps_its_newest_batches(
    project: Project, make_project: Callable[..., Project], runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client_logs.KEPT_BATCHES == 10_000
    monkeypatch.setattr(client_logs, "KEPT_BATCHES", 2)
    monkeypatch.setattr(client_logs, "SHARES", 1)
    other = await sync_to_async(make_project)()
    await post(batch(other, uid="eve"))
    for uid in ("ann", "bob"):
        await post(batch(project, uid=uid))
    assert await uids(project) == ["ann", "bob"]
    await post(batch(project, uid="cyd"))
    assert (await uids(project), await uids(other)) == (["bob", "cyd"], ["eve"])


async def test_a_project_keeps_so_many_bytes(
    project: Project, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client_logs.KEPT_BYTES == 64 * 1024 * 1024
    await post(batch(project, uid="ann"))
    (log,) = await kept(project)
    assert log.size == len(log.lines)
    monkeypatch.setattr(client_logs, "KEPT_BYTES", 4 * log.size)
    monkeypatch.setattr(client_logs, "SHARES", 1)
    for uid in ("bob", "cyd", "dan"):
        await post(batch(project, uid=uid))
    assert await uids(project) == ["ann", "bob", "cyd", "dan"]
    await post(batch(project, uid="eve", lines=[LINE, LINE]))
    assert await uids(project) == ["cyd", "dan", "eve"]


@pytest.mark.parametrize("bound", ["KEPT_BATCHES", "KEPT_BYTES"])
async def test_what_one_address_sends_pushes_out_its_own(
    project: Project, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    assert client_logs.SHARES == 8
    await post(batch(project, uid="bob"), address="10.1.1.2")
    (log,) = await kept(project)
    monkeypatch.setattr(client_logs, bound, 16 if bound == "KEPT_BATCHES" else 16 * log.size)
    for number in range(20):
        await post(batch(project, uid=f"u{number % 10}"), address="10.1.1.1")
    assert await uids(project) == ["bob", "u8", "u9"]
    assert "10.1.1" not in "".join([log.source for log in await kept(project)])


async def test_a_sender_is_a_network_where_it_chooses_its_address_in_it(
    project: Project, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_logs, "KEPT_BATCHES", 8)
    for uid, address in (
        ("ann", "2001:db8::1"),
        ("bob", "2001:db8::ffff:2"),
        ("cyd", "2001:db8:0:1::1"),
        ("dan", "::ffff:10.1.1.1"),
        ("eve", "10.1.1.1"),
        ("fay", "::ffff:10.1.1.2"),
    ):
        await post(batch(project, uid=uid), address=address)
    assert await uids(project) == ["bob", "cyd", "eve", "fay"]


def test_a_batch_for_a_project_that_is_gone_is_passed_over(project: Project) -> None:
    gone = project.pk
    project.delete()
    client_logs.store_client_log(
        project_id=gone, uid="ann", address="", sdk="", version="", lines="[]", now=timezone.now()
    )
    assert not ClientLog.objects.filter(project_id=gone).exists()
