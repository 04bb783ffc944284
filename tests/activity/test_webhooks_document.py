"""docs/webhooks.md cannot rot: its payloads are what is sent, its code takes what is signed and nothing else."""

import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import transaction

from activity.events import EVENTS
from activity.services.deliveries import BACK_OFF_S
from activity.signature import sign
from messaging.models import inbox_name
from messaging.selectors import from_ms
from messaging.services import append_entry, ensure_stream
from projects.models import Project
from tests.support.activity import deliveries, make_webhook, pump, record
from tests.support.clock import Lifetime
from tests.support.media import IMAGE, ready_media

DOCUMENT: Final = (Path(settings.BASE_DIR) / "docs" / "webhooks.md").read_text()
SECRET: Final = "a-secret-of-the-customer"
BODY: Final = '{"event":"room.sent","text":"Grüße"}'.encode()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)


def shape(value: Any) -> Any:
    """Names and types."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    return type(value).__name__


def append_to_inbox(project_id: int, ts: int) -> None:
    now = from_ms(ts)
    stream = ensure_stream(project_id=project_id, name=inbox_name("bob"), creator="ann", now=now)
    file = '{"type":"FILE","media":"","name":"","description":"","size":11,"content_type":""}'
    for event, body in {
        "peer.sent": '{"message":{"type":"TEXT","text":"Are you there?"}}',
        "peer.media_sent": f'{{"message":{file}}}',
    }.items():
        with transaction.atomic():
            append_entry(stream_id=stream.id, event=event, sender="ann", message_id=event[:7], body=body, now=now)


async def test_the_payloads_are_what_is_sent(lifetime: Lifetime, fast_app: str) -> None:
    webhook = await make_webhook(fast_app)
    project = await sync_to_async(Project.objects.get)(app_id=fast_app)
    ann = await lifetime.enter(fast_app, "ann")
    await ann.call("session.set_business_id", business_id="evening")
    await ann.call("room.join", room="math")
    await ann.send("math", "Good morning", "m1")
    media = await ready_media(fast_app, "ann", now=from_ms(lifetime.clock.now_ms()), **IMAGE)
    image = {"type": "IMAGE", "media": media}
    await ann.call("room.send", room="math", message_id="m2", message=image)
    await sync_to_async(append_to_inbox)(project.pk, lifetime.clock.now_ms())
    await ann.call("session.logout")
    await record(lifetime.runtime)
    await pump(lifetime.runtime)
    sent = {each.event: json.loads(each.payload) for each in await deliveries(webhook)}
    shown = {payload["event"]: payload for payload in map(json.loads, blocks("json"))}
    assert set(shown) == set(sent) == set(EVENTS) - {"invitation.changed"}
    for event, payload in shown.items():
        assert shape(payload) == shape(sent[event])
        assert payload["data"].get("reason") == sent[event]["data"].get("reason")
        assert list(payload) == list(sent[event])


def test_every_event_is_explained() -> None:
    table = re.findall(r"^\| `([a-z_.]+)` \|", DOCUMENT.split("## Events")[1], re.MULTILINE)
    assert table == list(EVENTS)


def test_the_retries_are_those_that_are_written() -> None:
    assert "in 5 s, then in 30 s, 2 min, 10 min, 1 h and 6 h" in " ".join(DOCUMENT.split())
    assert BACK_OFF_S == (5, 30, 2 * 60, 10 * 60, 3_600, 6 * 3_600)


def by_python(headers: dict[str, str], body: bytes) -> bool:
    (code,) = blocks("python")
    namespace: dict[str, Any] = {}
    exec(code, namespace)
    return bool(namespace["is_genuine"](SECRET, headers, body))


def by_node(headers: dict[str, str], body: bytes) -> bool:
    (code,) = blocks("js")
    lower = json.dumps({name.lower(): value for name, value in headers.items()})
    code += f"console.log(isGenuine('{SECRET}', {lower}, Buffer.from('{body.hex()}', 'hex')));"
    said = subprocess.run(
        ["node", "--input-type=module", "-"], input=code, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert said in ("true", "false")
    return said == "true"


@pytest.mark.parametrize("is_genuine", [by_python, by_node])
def test_the_code_takes_what_is_signed_and_nothing_else(
    is_genuine: Callable[[dict[str, str], bytes], bool],
) -> None:
    now = int(time.time())

    def headers(timestamp: int, secret: str = SECRET) -> dict[str, str]:
        return {"X-Rostrum-Timestamp": str(timestamp), "X-Rostrum-Signature": sign(secret, timestamp, BODY)}

    assert is_genuine(headers(now), BODY)
    assert not is_genuine(headers(now), BODY + b" ")
    assert not is_genuine(headers(now, "another-secret"), BODY)
    assert not is_genuine(headers(now) | {"X-Rostrum-Timestamp": str(now + 1)}, BODY)
    assert not is_genuine(headers(now - 400), BODY)
    assert not is_genuine(headers(now) | {"X-Rostrum-Signature": "v1=short"}, BODY)
