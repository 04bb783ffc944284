"""The generated documents: fresh, complete, and true of the frames that they show."""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client

from realtime.close_codes import CLOSE_CODES
from realtime.conversations import conversations
from realtime.errors import ERRORS
from realtime.openrpc import build_openrpc, references
from realtime.registry import EVENTS, METHODS
from tests.support.json_schema import problems

Json = dict[str, Any]
DOCS = Path(settings.BASE_DIR) / "docs"
MEDIA_EVENTS = {"peer.media_sent", "room.media_sent"}


@pytest.fixture(scope="module")
def document() -> Json:
    published: Json = json.loads((DOCS / "openrpc.json").read_text())
    return published


def test_generated_documents_are_fresh() -> None:
    call_command("generate_docs", check=True, stdout=io.StringIO())


def test_check_tells_what_is_stale_and_writes_nothing(tmp_path: Path) -> None:
    call_command("generate_docs", directory=tmp_path, stdout=io.StringIO())
    page = tmp_path / "protocol.md"
    page.write_text(page.read_text().replace("# The protocol", "# Another title"))
    said = io.StringIO()
    with pytest.raises(CommandError, match=r"protocol\.md") as failure:
        call_command("generate_docs", check=True, directory=tmp_path, stdout=said)
    assert failure.value.returncode == 1
    assert "protocol.md: 1 lines to add, 1 to remove" in said.getvalue()
    assert "+# The protocol" in said.getvalue()
    assert "openrpc.json" not in said.getvalue()
    assert page.read_text().startswith("<!--")
    assert "# Another title" in page.read_text()


def test_the_server_publishes_the_same_document(client: Client, document: Json) -> None:
    response = client.get("/rtm/openrpc.json")
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    assert response["Access-Control-Allow-Origin"] == "*"
    assert response.json() == document
    assert client.post("/rtm/openrpc.json").status_code == 405


def test_openrpc_has_every_method_event_error_and_close_code(document: Json) -> None:
    assert [method["name"] for method in document["methods"]] == sorted(METHODS)
    assert [event["name"] for event in document["x-events"]] == sorted(EVENTS)
    assert [error["code"] for error in document["components"]["errors"].values()] == [kind.code for kind in ERRORS]
    assert [close["code"] for close in document["x-close-codes"]] == [close.code for close in CLOSE_CODES]
    assert all(method["description"] for method in document["methods"])
    assert all(event["description"] for event in document["x-events"])
    assert {event["name"] for event in document["x-events"] if event["needs"] == "media"} == MEDIA_EVENTS


def test_codes_and_names_are_each_given_once() -> None:
    for kinds in (ERRORS, CLOSE_CODES):
        assert len({kind.code for kind in kinds}) == len(kinds)
        assert len({kind.name for kind in kinds}) == len(kinds)


def test_every_reference_resolves(document: Json) -> None:
    for reference in references(document):
        node: Any = document
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]
        assert isinstance(node, dict)


def test_no_schema_is_left_empty_or_internal(document: Json) -> None:
    """What is carried as text has the schema of what it carries, and patterns are those of ECMAScript."""
    text = (DOCS / "openrpc.json").read_text()
    assert "x-carries" not in text
    assert r"\\A" not in text
    for method in document["methods"]:
        assert all(parameter["schema"] for parameter in method["params"]), method["name"]


def test_a_message_is_a_union_told_apart_by_its_type(document: Json) -> None:
    (send,) = [method for method in document["methods"] if method["name"] == "room.send"]
    (message,) = [parameter["schema"] for parameter in send["params"] if parameter["name"] == "message"]
    assert message["discriminator"]["propertyName"] == "type"
    assert set(message["discriminator"]["mapping"]) == {"TEXT", "RAW", "FILE", "IMAGE"}
    assert METHODS["room.send"].params.__annotations__["message"].__origin__ is msgspec.Raw


def test_every_worked_frame_fits_the_published_schemas(document: Json) -> None:
    found = [problem for problem in _frame_problems(document) if problem]
    assert found == []


def _frame_problems(document: Json) -> Iterator[list[str]]:
    methods = {method["name"]: method for method in document["methods"]}
    events = {event["name"]: event for event in document["x-events"]}
    components = document["components"]["schemas"]
    for conversation in conversations():
        asked: dict[tuple[str, Any], Json] = {}
        refused = [
            message["id"]
            for _, message in conversation.frames()
            if message.get("error", {}).get("data", {}).get("name") == "invalid_params"
        ]
        for line, message in conversation.frames():
            where = f"{conversation.subject} {message.get('method', message.get('id'))}"
            if line.kind == ">" and message["method"] in methods:
                method = asked[line.actor, message.get("id")] = methods[message["method"]]
                found = problems(message["params"], _object_of(method["params"]), components, where)
                yield found if message.get("id") not in refused else [] if found else [f"{where}: why refused?"]
            elif "method" in message and line.kind == "<":
                yield problems(message["params"], events[message["method"]]["params"], components, where)
            elif "result" in message:
                schema = asked[line.actor, message["id"]]["result"]["schema"]
                yield problems(message["result"], schema, components, where)
            elif "error" in message and (line.actor, message["id"]) in asked:
                names = [each["$ref"].rpartition("/")[2] for each in asked[line.actor, message["id"]]["errors"]]
                yield [] if message["error"]["data"]["name"] in names else [f"{where}: error not declared"]


def _object_of(params: list[Json]) -> Json:
    return {
        "type": "object",
        "properties": {each["name"]: each["schema"] for each in params},
        "required": [each["name"] for each in params if each["required"]],
        "additionalProperties": False,
    }


def test_params_that_are_wrong_do_not_fit(document: Json) -> None:
    """The schemas refuse something, that is: they were not lost on the way."""
    (send,) = [method for method in document["methods"] if method["name"] == "room.send"]
    schema, components = _object_of(send["params"]), document["components"]["schemas"]
    good: Json = {"room": "math", "message_id": "a-1", "message": {"type": "TEXT", "text": "hello"}}
    assert problems(good, schema, components) == []
    assert problems({**good, "room": "a/b"}, schema, components)
    assert problems({**good, "message": {"type": "IMAGE", "text": "hello"}}, schema, components)
    assert problems({**good, "message": {"type": "TEXT"}}, schema, components)
    assert problems({**good, "more": 1}, schema, components)
    assert problems({name: good[name] for name in ("room", "message")}, schema, components)


def test_the_page_has_a_section_for_each_method_event_and_code() -> None:
    page = (DOCS / "protocol.md").read_text()
    headings = re.findall(r"^### (.+)$", page, re.MULTILINE)
    assert sorted(name for name in headings if "." in name) == sorted([*METHODS, *EVENTS])
    for kind in ERRORS:
        assert f"| {kind.code} | `{kind.name}` | {'yes' if kind.retryable else 'no'} |" in page
    for close in CLOSE_CODES:
        assert f"| {close.code} | `{close.name}` | {'yes' if close.reconnect else 'no'} |" in page
    assert "{{" not in page
    assert "{%" not in page


def test_the_document_is_built_once() -> None:
    assert build_openrpc() is build_openrpc()
