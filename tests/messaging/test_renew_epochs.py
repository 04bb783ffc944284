"""`manage.py renew_epochs`, after a restore from a backup: cursors of the lost time mean nothing any more."""

from collections.abc import Callable
from io import StringIO

import pytest
from asgiref.sync import sync_to_async
from django.core.management import CommandError, call_command

from messaging.models import Stream
from projects.models import Project
from realtime.runtime import Runtime
from tests.support.client import Client


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("renew_epochs", *arguments, stdout=out)
    return out.getvalue().strip()


def epochs(project: Project) -> dict[str, tuple[str, int]]:
    return {name: (epoch, head) for name, epoch, head in project.streams.values_list("name", "epoch", "head")}


def test_every_stream_gets_another_epoch_and_keeps_its_head(make_project: Callable[..., Project]) -> None:
    from django.utils import timezone

    one, other = make_project(), make_project()
    for project in (one, other):
        for number in range(3):
            Stream.objects.create(
                project=project, name=f"room:{number}", head=number, created_by="ann", created_at=timezone.now()
            )
    before = epochs(one), epochs(other)
    assert run("--project", one.app_id) == "renewed 3 epochs"
    after = epochs(one)
    assert {name: head for name, (_, head) in after.items()} == {"room:0": 0, "room:1": 1, "room:2": 2}
    found = [epoch for part in (before[0], after) for epoch, _ in part.values()]
    assert len(set(found)) == 6
    assert epochs(other) == before[1]
    run()
    assert not {epoch for epoch, _ in epochs(other).values()} & {epoch for epoch, _ in before[1].values()}


def test_a_project_that_is_not_there_is_an_error() -> None:
    with pytest.raises(CommandError, match="No project"):
        run("--project", "0" * 32)


async def test_cursors_from_before_are_not_believed(
    open_client: Callable[..., Client], make_project: Callable[..., Project], runtime: Runtime
) -> None:
    project = await sync_to_async(make_project)()
    ann = open_client()
    await ann.login(project.app_id, "ann")
    await ann.call("room.join", room="math")
    await ann.send("math", "one", "m1")
    old = (await sync_to_async(epochs)(project))["room:math"][0]
    await sync_to_async(run)("--project", project.app_id)
    await runtime.hub.check_heads()
    reset = await ann.expect("stream.reset")
    assert (reset["stream"], reset["head"]) == ("room:math", 1)
    assert reset["epoch"] != old
    await ann.send("math", "two", "m2")
    bob = open_client()
    await bob.login(project.app_id, "bob")
    joined = await bob.call("room.join", room="math", after={"seq": 1, "epoch": old})
    assert (joined["recovered"], joined["epoch"], joined["head"]) == (False, reset["epoch"], 2)
