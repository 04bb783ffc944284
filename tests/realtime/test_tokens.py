"""Logging in with a token, renewing it, and what happens when it runs out (docs/contract.md 9)."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from projects.models import Project
from projects.services import create_project, rotate_certificate
from realtime.tenants import KEPT_S, Tenants
from tests.support.client import CallFailed, Client, Closed
from tests.support.clock import Lifetime, clocked_runtimes
from tests.support.tokens import CERTIFICATE, DAY_S, make_006, make_007
from tests.support.told import people

OTHER = "0" * 32


class World:
    """A project with its certificate enabled, on a clock that the test moves."""

    def __init__(self, lifetime: Lifetime, project: Project) -> None:
        self.lifetime = lifetime
        self.project = project
        self.app = project.app_id

    @property
    def now_s(self) -> int:
        return self.lifetime.clock.now_ms() // 1000

    def token(self, uid: str = "ann", lasts_s: int = 3_600, **changed: Any) -> str:
        parts = {"app_id": self.app, "issued": self.now_s, "expire": lasts_s, **changed}
        return make_007(uid, **parts)

    def token_006(self, uid: str = "ann", lasts_s: int = DAY_S, **changed: Any) -> str:
        return make_006(uid, **{"app_id": self.app, "ts": self.now_s + lasts_s, **changed})

    async def enter(self, uid: str, *rooms: str, lasts_s: int = 3_600, place: int = 0) -> Client:
        client = self.lifetime.open_client(place)
        await client.login(self.app, uid, token=self.token(uid, lasts_s))
        for room in rooms:
            await client.call("room.join", room=room)
        return client

    async def refusal(self, client: Client, **params: Any) -> str:
        with pytest.raises(CallFailed) as refused:
            await client.login(self.app, "ann", **params)
        return refused.value.name

    async def change(self, **fields: Any) -> None:
        """Changes the project, and waits until logins see it."""
        await sync_to_async(Project.objects.filter(pk=self.project.pk).update)(**fields)
        self.lifetime.clock.advance(KEPT_S)


@pytest.fixture
async def world(make_project: Callable[..., Project]) -> AsyncIterator[World]:
    rates = {"rates": {"login": [1_000_000, 1_000]}}
    project = await sync_to_async(make_project)(certificate=CERTIFICATE, certificate_enabled=True, limits=rates)
    async with clocked_runtimes(2) as lifetime:
        for runtime in lifetime.runtimes:
            runtime.tenants = Tenants(runtime.loop, runtime.bridge, runtime.clock_ms)  # by the test's clock
        yield World(lifetime, project)


# -- logins


async def test_a_token_of_either_format_lets_its_user_in(world: World) -> None:
    for token in (world.token(), world.token_006()):
        assert (await world.lifetime.open_client().login(world.app, "ann", token=token))["session"]


async def test_a_token_that_is_not_good_is_refused_by_its_name(world: World) -> None:
    client = world.lifetime.open_client()
    for token in (None, "", "nonsense", world.token("bob"), world.token(certificate=OTHER), world.token(app_id=OTHER)):
        assert await world.refusal(client, token=token) == "invalid_token"
    for token in (world.token(lasts_s=0), world.token_006(lasts_s=0)):
        assert await world.refusal(client, token=token) == "token_expired"
    assert await world.refusal(client, token="x" * 5_000) == "invalid_params"
    assert (await client.login(world.app, "ann", token=world.token()))["session"], "the connection may try again"


async def test_a_token_of_another_project_lets_nobody_in(world: World) -> None:
    other = await sync_to_async(create_project)(name="other", certificate=CERTIFICATE, certificate_enabled=True)
    client = world.lifetime.open_client()
    assert await world.refusal(client, token=world.token(app_id=other.app_id)) == "invalid_token"
    assert (await client.login(other.app_id, "ann", token=world.token(app_id=other.app_id)))["session"]


async def test_while_the_certificate_is_off_a_token_is_not_looked_at(world: World) -> None:
    await world.change(certificate_enabled=False)
    ann = world.lifetime.open_client()
    await ann.login(world.app, "ann", token="nonsense")
    assert await ann.call("session.renew_token", token="more of it") == {}
    await world.lifetime.pass_time(60, ann)
    await ann.expect_nothing("session.token_expiring")


async def test_a_resume_presents_the_token_again(world: World) -> None:
    ann = world.lifetime.open_client()
    session = (await ann.login(world.app, "ann", token=world.token()))["session"]
    await ann.close()
    back = world.lifetime.open_client()
    assert await world.refusal(back, session=session) == "invalid_token"
    assert await world.refusal(back, session=session, token=world.token("bob")) == "invalid_token"
    assert (await back.login(world.app, "ann", session=session, token=world.token()))["resumed"]


async def test_after_a_rotation_tokens_of_both_certificates_are_taken_until_the_old_one_is_dropped(
    world: World,
) -> None:
    ann = await world.enter("ann")
    new = (await sync_to_async(rotate_certificate)(project_id=world.project.pk)).certificate
    world.lifetime.clock.advance(KEPT_S)
    for certificate in (CERTIFICATE, new):
        assert await ann.call("session.renew_token", token=world.token(certificate=certificate)) == {}
        client = world.lifetime.open_client()
        assert await client.login(world.app, "bob", token=world.token("bob", certificate=certificate))
    await world.change(secondary_certificate="")
    assert await world.refusal(world.lifetime.open_client(), token=world.token()) == "invalid_token"
    assert await ann.call("session.ping") == {}, "who is there stays"
    with pytest.raises(CallFailed) as refused:
        await ann.call("session.renew_token", token=world.token())
    assert refused.value.name == "invalid_token"
    assert await ann.call("session.renew_token", token=world.token(certificate=new)) == {}


@pytest.mark.parametrize("change", [{"is_active": False}, {"certificate": OTHER}, {"certificate_enabled": False}])
async def test_what_changes_about_a_project_lets_sessions_stay_until_they_come_again(
    world: World, change: dict[str, Any]
) -> None:
    ann = await world.enter("ann", "math")
    await world.change(**change)
    await world.lifetime.pass_time(10, ann)
    assert (await ann.send("math", "still here", "m1"))["seq"] == 1


# -- running out


async def test_30_seconds_before_the_end_the_user_is_warned_once(world: World) -> None:
    ann = await world.enter("ann", lasts_s=90)
    ends_ms = (world.now_s + 90) * 1000
    await world.lifetime.pass_time(57, ann)
    await ann.expect_nothing("session.token_expiring")
    await world.lifetime.pass_time(6, ann)
    assert await ann.expect("session.token_expiring") == {"expires_at": ends_ms}
    await world.lifetime.pass_time(20, ann)
    await ann.expect_nothing("session.token_expiring")


async def test_a_login_with_less_than_30_seconds_left_is_warned_at_once(world: World) -> None:
    token = world.token(lasts_s=20)
    ann = world.lifetime.open_client()
    session = (await ann.login(world.app, "ann", token=token))["session"]
    await world.lifetime.pass_time(1, ann)
    await ann.expect("session.token_expiring")
    back = world.lifetime.open_client()
    await back.login(world.app, "ann", session=session, token=token)
    await world.lifetime.pass_time(1, back)
    await back.expect("session.token_expiring")


async def test_within_5_seconds_of_the_end_nothing_is_sent_or_delivered_any_more(world: World) -> None:
    bob = await world.enter("bob", "math")
    ann = await world.enter("ann", "math", lasts_s=60)
    await world.lifetime.pass_time(59, ann, bob)
    assert (await ann.send("math", "in time", "m1"))["seq"] == 1
    await world.lifetime.pass_time(5, bob)
    told = await ann.expect("session.closing")
    assert told == {"code": 4004, "name": "token_expired", "reconnect": False, "delay_ms": 0}
    late = await ann.start("room.send", room="math", message_id="m2", message={"type": "TEXT", "text": "too late"})
    assert await ann.expect_close() == 4004
    await ann.close()
    assert not late.done() or isinstance(late.exception(), Closed)
    await bob.send("math", "without ann", "m3")
    history = await bob.call("room.history", room="math", order="asc")
    assert [entry["message_id"] for entry in history["entries"]] == ["m1", "m3"]
    assert [frame for frame in ann.frames if "without ann" in frame] == []


async def test_with_a_new_token_within_30_seconds_the_session_goes_on_and_nobody_saw_a_thing(world: World) -> None:
    bob = await world.enter("bob", "math")
    ann = world.lifetime.open_client()
    token = world.token(lasts_s=40)
    session = (await ann.login(world.app, "ann", token=token))["session"]
    await ann.call("room.join", room="math")
    await world.lifetime.pass_time(39, bob, ann)
    await world.lifetime.pass_time(3, bob)
    assert await ann.expect_close() == 4004
    await bob.send("math", "missed", "m1")
    people(bob)
    await world.lifetime.pass_time(25, bob)
    back = world.lifetime.open_client(1)
    assert await world.refusal(back, session=session, token=token) == "token_expired"
    answer = await back.login(
        world.app, "ann", session=session, token=world.token(), streams={"room:math": {"seq": 0, "epoch": ""}}
    )
    assert answer["resumed"]
    assert [entry["body"]["text"] for entry in answer["streams"]["room:math"]["entries"]] == ["missed"]
    await world.lifetime.pass_time(10, bob, back)
    assert people(bob) == []


async def test_without_a_new_token_the_user_is_removed_like_anyone_unreachable(world: World) -> None:
    bob = await world.enter("bob", "math")
    ann = await world.enter("ann", "math", lasts_s=12)
    await world.lifetime.pass_time(9, bob, ann)
    await world.lifetime.pass_time(3, bob)
    assert await ann.expect_close() == 4004
    people(bob)
    await world.lifetime.pass_time(29, bob)
    assert people(bob) == []
    await world.lifetime.pass_time(6, bob)
    assert people(bob) == ["left ann"]


async def test_a_006_token_that_runs_out_ends_no_connection(world: World) -> None:
    ann = world.lifetime.open_client()
    token = world.token_006(lasts_s=40)
    session = (await ann.login(world.app, "ann", token=token))["session"]
    await world.lifetime.pass_time(60, ann)
    await ann.expect_nothing("session.token_expiring")
    back = world.lifetime.open_client()
    assert await world.refusal(back, session=session, token=token) == "token_expired"


async def test_a_project_may_end_connections_of_006_tokens_too(world: World) -> None:
    await world.change(end_006_sessions=True)
    ann = world.lifetime.open_client()
    await ann.login(world.app, "ann", token=world.token_006(lasts_s=40))
    await world.lifetime.pass_time(12, ann)
    await ann.expect("session.token_expiring")
    await world.lifetime.pass_time(30)
    assert await ann.expect_close() == 4004


# -- renewing


async def test_a_renewal_moves_the_end(world: World) -> None:
    ann = await world.enter("ann", lasts_s=60)
    await world.lifetime.pass_time(45, ann)
    await ann.expect("session.token_expiring")
    ends_ms = (world.now_s + 60) * 1000
    assert await ann.call("session.renew_token", token=world.token(lasts_s=60)) == {}
    await world.lifetime.pass_time(27, ann)
    await ann.expect_nothing("session.token_expiring")
    await world.lifetime.pass_time(6, ann)
    assert await ann.expect("session.token_expiring") == {"expires_at": ends_ms}
    await world.lifetime.pass_time(30)
    assert await ann.expect_close() == 4004


async def test_a_refused_renewal_changes_nothing(world: World) -> None:
    ann = await world.enter("ann", lasts_s=60)
    refused = []
    for token in (world.token("bob"), world.token(certificate=OTHER), "nonsense", world.token(lasts_s=0)):
        world.lifetime.clock.advance(1)
        with pytest.raises(CallFailed) as failure:
            await ann.call("session.renew_token", token=token)
        refused.append(failure.value.name)
    assert refused == ["invalid_token", "invalid_token", "invalid_token", "token_expired"]
    await world.lifetime.pass_time(50, ann)
    await ann.expect("session.token_expiring")
    await world.lifetime.pass_time(9)
    assert await ann.expect_close() == 4004


async def test_a_renewal_in_a_project_that_is_no_more_is_refused(world: World) -> None:
    ann = await world.enter("ann")
    await world.change(is_active=False)
    with pytest.raises(CallFailed) as refused:
        await ann.call("session.renew_token", token=world.token())
    assert refused.value.name == "invalid_app_id"


async def test_two_renewals_a_second_are_taken_and_no_third(world: World) -> None:
    ann = await world.enter("ann")
    for _ in range(2):
        await ann.call("session.renew_token", token=world.token())
    with pytest.raises(CallFailed) as refused:
        await ann.call("session.renew_token", token=world.token())
    assert refused.value.name == "too_often"
    world.lifetime.clock.advance(0.5)
    assert await ann.call("session.renew_token", token=world.token()) == {}


async def test_what_a_client_says_of_itself_is_kept_until_its_next_login(world: World) -> None:
    ann = world.lifetime.open_client()
    said = {"sdk": "tests", "version": "1.5.1", "capabilities": ["media", "media", "offline"]}
    session = (await ann.login(world.app, "ann", token=world.token(), client=said))["session"]
    kept = world.lifetime.runtime.sessions.get(world.project.pk, "ann")
    assert kept is not None
    assert (kept.version, kept.capabilities) == ("1.5.1", "media")
    await world.lifetime.open_client().login(world.app, "ann", token=world.token(), session=session)
    assert (kept.version, kept.capabilities) == ("", "")
