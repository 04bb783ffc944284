"""A process that is killed amid calls leaves both sides of each alike, and the next process ends what is over
(docs/contract.md 8)."""

import asyncio
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from invitations.models import Invitation
from projects.limits import RATES
from projects.models import Project
from tests.support.client import connect
from tests.support.cluster import ServerProcess
from tests.support.invitations import OPEN, require_fitting

CALLS = 40
RATES_OF_NO_CONCERN = {name: [1_000_000, 1_000] for name in RATES}


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project(limits={"rates": RATES_OF_NO_CONCERN})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess("killed", tmp_path, os.environ)
    process.start()
    yield process
    process.kill()


@sync_to_async
def states(project: Project) -> list[str]:
    """What each call is to both sides by now."""
    return [require_fitting(project.pk, "ann", "bob", f"i{number}") for number in range(CALLS)]


@sync_to_async
def let_a_minute_pass(project: Project) -> None:
    """For the open ones. A commit that is still under way holds its row until it is done."""
    long_ago = timezone.now() - timedelta(seconds=61)
    Invitation.objects.filter(project=project, due_at__isnull=False).update(created_at=long_ago, due_at=long_ago)


async def test_a_process_killed_amid_calls(server: ServerProcess, project: Project) -> None:
    assert server.port is not None
    ann, bob = await connect(server.port), await connect(server.port)
    await ann.login(project.app_id, "ann")
    await bob.login(project.app_id, "bob")
    for number in range(CALLS):
        await ann.call("invitation.send", invitation=f"i{number}", peer="bob")
    answers: dict[asyncio.Future[Any], int] = {}
    for number in range(CALLS):
        named = {"invitation": f"i{number}", "caller": "ann"}
        answers[await bob.start("invitation.confirm", **named)] = number
        answers[await bob.start("invitation.accept", **named)] = number
        answers[await ann.start("invitation.cancel", invitation=f"i{CALLS - 1 - number}")] = CALLS - 1 - number
    await asyncio.wait(list(answers)[: CALLS // 2])
    await asyncio.to_thread(server.kill)
    await let_a_minute_pass(project)
    left = await states(project)
    assert set(left) & set(OPEN), "killed too late to prove anything"
    for answer, number in answers.items():
        if answer.done() and answer.exception() is None and answer.result()["state"] not in OPEN:
            assert left[number] == answer.result()["state"], "what was answered was committed"
    for client in (ann, bob):
        await client.close()

    await asyncio.to_thread(server.start)
    for _ in range(300):
        ended = await states(project)
        if not set(ended) & set(OPEN):
            break
        await asyncio.sleep(0.1)
    assert ended == ["FAILED" if state in OPEN else state for state in left]
