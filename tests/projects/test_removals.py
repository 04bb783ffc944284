"""Kicks and bans as rows: which ban holds, and what cannot be. How they are carried out: tests/realtime."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError

from messaging.retention import purges
from projects.models import Project, Removal
from projects.selectors import active_ban, active_bans, pending_removals
from projects.services import ban_user, finish_removals, kick_user, lift_ban, purge_removals

NOW = datetime(2026, 1, 15, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()


def banned_until(project: Project, uid: str = "ann", now: datetime = NOW) -> Any:
    """False when nobody is keeping the user out."""
    ban = active_ban(project_id=project.pk, uid=uid, now=now)
    return ban is not None and (ban.until or "lifted")


def test_a_ban_holds_until_its_end(project: Project) -> None:
    ban_user(project_id=project.pk, uid="ann", now=NOW, until=NOW + HOUR)
    assert banned_until(project) == NOW + HOUR
    assert banned_until(project, now=NOW + HOUR - timedelta(milliseconds=1)) == NOW + HOUR
    assert banned_until(project, now=NOW + HOUR) is False


def test_a_ban_without_an_end_holds_until_it_is_lifted(project: Project) -> None:
    ban_user(project_id=project.pk, uid="ann", now=NOW)
    assert banned_until(project, now=NOW + 10_000 * HOUR) == "lifted"
    assert lift_ban(project_id=project.pk, uid="ann", now=NOW)
    assert banned_until(project) is False
    assert not lift_ban(project_id=project.pk, uid="ann", now=NOW)


def test_a_new_ban_takes_the_place_of_the_one_before(project: Project) -> None:
    first = ban_user(project_id=project.pk, uid="ann", now=NOW)
    ban_user(project_id=project.pk, uid="ann", now=NOW + HOUR, until=NOW + 2 * HOUR, by="staff", reason="noise")
    assert banned_until(project, now=NOW + HOUR) == NOW + 2 * HOUR
    first.refresh_from_db()
    assert first.lifted_at == NOW + HOUR
    with pytest.raises(IntegrityError):
        Removal.objects.create(project=project, kind="ban", uid="ann", created_at=NOW)


def test_many_users_are_asked_for_at_once(project: Project, make_project: Callable[..., Project]) -> None:
    other = make_project()
    for uid in ("u1", "u600"):
        ban_user(project_id=project.pk, uid=uid, now=NOW)
    ban_user(project_id=other.pk, uid="u2", now=NOW)
    asked = [(each.pk, f"u{number}") for each in (project, other) for number in range(1_200)]
    assert set(active_bans(asked, NOW)) == {(project.pk, "u1"), (project.pk, "u600"), (other.pk, "u2")}


def test_a_kick_keeps_nobody_out(project: Project) -> None:
    kick_user(project_id=project.pk, uid="ann", now=NOW)
    assert banned_until(project) is False


def test_what_is_not_carried_out_is_found_in_order_and_once(project: Project) -> None:
    def pending(after: int = 0) -> list[int]:
        found = []
        while page := pending_removals(after, 2):
            found += [removal.pk for removal in page if removal.project_id == project.pk]
            after = page[-1].pk
        return found

    ids = [kick_user(project_id=project.pk, uid=f"u{number}", now=NOW).pk for number in range(5)]
    assert pending() == ids
    finish_removals(ids=ids[:3], now=NOW)
    assert pending() == ids[3:]
    finish_removals(ids=ids, now=NOW + HOUR)
    assert pending() == []
    assert Removal.objects.get(pk=ids[0]).carried_out_at == NOW


@pytest.mark.parametrize(
    "wrong",
    [{"uid": ""}, {"uid": "x" * 65}, {"uid": "null"}, {"uid": "é"}, {"until": NOW}, {"reason": "x" * 201}],
)
def test_a_ban_that_cannot_be_is_refused_and_the_one_before_holds(project: Project, wrong: dict[str, Any]) -> None:
    ban_user(project_id=project.pk, uid="ann", now=NOW, until=NOW + HOUR)
    with pytest.raises(ValidationError):
        ban_user(**{"project_id": project.pk, "uid": "ann", "now": NOW, **wrong})
    assert banned_until(project) == NOW + HOUR


def test_a_kick_has_no_end(project: Project) -> None:
    removal = Removal(project=project, kind="kick", uid="ann", created_at=NOW, until=NOW + HOUR)
    with pytest.raises(ValidationError):
        removal.full_clean()
    with pytest.raises(IntegrityError):
        removal.save()


# Commands


def run(name: str, *arguments: str) -> str:
    out = StringIO()
    call_command(name, *arguments, stdout=out)
    return out.getvalue().strip()


def test_ban_and_lift_ban(project: Project) -> None:
    said = run("ban", project.app_id, "ann", "--minutes=60", "--reason=noise")
    ban = Removal.objects.get(project=project)
    assert (ban.kind, ban.reason, ban.by) == ("ban", "noise", "command line")
    assert ban.until == ban.created_at + HOUR
    assert ban.until.isoformat(timespec="seconds") in said
    assert "until the ban is lifted" in run("ban", project.app_id, "ann")
    assert banned_until(project) == "lifted"
    run("lift_ban", project.app_id, "ann")
    assert banned_until(project) is False
    with pytest.raises(CommandError, match="not banned"):
        run("lift_ban", project.app_id, "ann")


def test_kick(project: Project) -> None:
    run("kick", project.app_id, "ann", "--reason=noise")
    kick = Removal.objects.get(project=project)
    assert (kick.kind, kick.uid, kick.reason, kick.until) == ("kick", "ann", "noise", None)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("kick", ["null"]), ("ban", ["é"]), ("ban", ["ann", "--minutes=0"]), ("ban", ["ann", f"--minutes={10**12}"])],
)
def test_a_command_says_what_cannot_be(project: Project, name: str, arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        run(name, project.app_id, *arguments)
    assert not Removal.objects.filter(project=project).exists()


# -- retention -----------------------------------------------------------------------------------------------

KEPT = timedelta(days=30)


def make_removals(project: Project) -> dict[str, Removal]:
    """One of each kind and state, all from long ago, by what became of them."""
    long_ago = NOW - 400 * 24 * HOUR
    made = {
        name: kick_user(project_id=project.pk, uid=name, now=long_ago) for name in ("kicked", "just kicked", "not yet")
    }
    for name, until in (
        ("over", NOW - KEPT - HOUR),
        ("just over", NOW - KEPT + HOUR),
        ("for long", NOW + HOUR),
        ("for good", None),
        ("lifted", None),
        ("just lifted", None),
    ):
        made[name] = ban_user(project_id=project.pk, uid=name, now=long_ago, until=until)
    lift_ban(project_id=project.pk, uid="lifted", now=NOW - KEPT - HOUR)
    lift_ban(project_id=project.pk, uid="just lifted", now=NOW - KEPT + HOUR)
    finish_removals(ids=[row.pk for row in made.values() if row.uid not in ("just kicked", "not yet")], now=long_ago)
    finish_removals(ids=[made["just kicked"].pk], now=NOW - KEPT + HOUR)
    return made


def left(project: Project) -> set[str]:
    return set(project.removals.values_list("uid", flat=True))


def test_what_has_ended_is_kept_as_long_as_messages(make_project: Callable[..., Project]) -> None:
    project, other = make_project(retention_days=KEPT.days), make_project()
    for one in (project, other):
        make_removals(one)
    purge = next(purge for purge in purges() if "bans" in purge.what)
    everything = left(project)
    assert purge.count(project.pk, NOW) == 3
    assert left(project) == everything
    assert sum(purge.delete(project.pk, NOW)) == 3
    assert left(project) == everything - {"kicked", "over", "lifted"}
    assert left(other) == everything
    assert purge.count(project.pk, NOW) == sum(purge.delete(project.pk, NOW)) == 0


def test_the_command_deletes_them_in_short_transactions(project: Project) -> None:
    for number in range(5):
        removal = kick_user(project_id=project.pk, uid=f"u{number}", now=NOW - 400 * 24 * HOUR)
        finish_removals(ids=[removal.pk], now=NOW - 400 * 24 * HOUR)
    assert list(purge_removals(project_id=project.pk, before=NOW, batch=2)) == [2, 2, 1]
    kick_user(project_id=project.pk, uid="ann", now=NOW - 400 * 24 * HOUR)
    finish_removals(ids=[row.pk for row in project.removals.all()], now=NOW - 400 * 24 * HOUR)
    out = StringIO()
    call_command("purge_expired", "--project", project.app_id, stdout=out)
    assert f"test ({project.app_id}): deleted 1 kicks and bans that have ended" in out.getvalue().splitlines()
