"""What is true of every method of the registry: whoever adds one adds its example here and gets these tests."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
import pytest
from msgspec import inspect

from projects.limits import RATES
from realtime.errors import (
    INTERNAL,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    NOT_LOGGED_IN,
    PARSE_ERROR,
    TOO_OFTEN,
)
from realtime.registry import EVENTS, METHODS, Method
from tests.support.client import CallFailed, Client, Json
from tests.support.media import give_media

pytestmark = pytest.mark.shapeless

FREE: Final = {
    "session.login": "two in a second for each uid, counted in the presence store",
    "session.ping": "a heartbeat",
    "session.ack": "an acknowledgement",
    "inbox.ack": "an acknowledgement; of many, the latest is committed",
}
"""Methods without a rate bucket, and why."""
OPEN: Final = {"session.login", "session.ping", "session.ack"}
"""Methods for who has not logged in."""
ANSWERS_OF_ANY: Final = {
    PARSE_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    INVALID_PARAMS,
    INTERNAL,
    NOT_LOGGED_IN,
    TOO_OFTEN,
}
CHANGES: Final = ("room.set_attributes", "room.update_attributes", "room.delete_attributes", "room.clear_attributes")

EXAMPLES: Final[dict[str, Json]] = {
    "session.login": {
        "app": "0" * 32,
        "uid": "ann",
        "token": None,
        "session": "s1",
        "streams": {"room:math": {"seq": 1, "epoch": "e1"}},
        "client": {"sdk": "tests", "version": "1", "capabilities": ["media"]},
    },
    "session.logout": {},
    "session.renew_token": {"token": "007"},
    "session.ping": {"received": 0},
    "session.ack": {"received": 0},
    "session.set_business_id": {"business_id": "evening"},
    "room.join": {"room": "math", "after": {"seq": 0, "epoch": ""}},
    "room.leave": {"room": "math"},
    "room.send": {
        "room": "math",
        "message_id": "m1",
        "message": {"type": "TEXT", "text": "hello"},
        "historical": True,
        "follows": "m0",
    },
    "room.members": {"room": "math"},
    "room.member_counts": {"rooms": ["math"]},
    "room.get_attributes": {"room": "math", "keys": ["a"]},
    "room.set_attributes": {
        "room": "math",
        "message_id": "m2",
        "attributes": {"a": "1"},
        "notify": True,
        "revision": 0,
    },
    "room.update_attributes": {
        "room": "math",
        "message_id": "m3",
        "attributes": {"a": "1"},
        "notify": True,
        "revision": 1,
    },
    "room.delete_attributes": {"room": "math", "message_id": "m4", "keys": ["a"], "notify": True, "revision": 2},
    "room.clear_attributes": {"room": "math", "message_id": "m5", "notify": True, "revision": 3},
    "room.history": {"room": "math", "before": 9, "after": 0, "limit": 10, "order": "asc", "tombstones": True},
    "room.delete_message": {"room": "math", "seq": 1, "message_id": "m1"},
    "stream.read": {"stream": "room:math", "after": 0},
    "inbox.ack": {"seq": 0},
    "peer.send": {
        "peer": "bob",
        "message_id": "m6",
        "message": {"type": "TEXT", "text": "hello"},
        "offline": True,
        "historical": True,
    },
    "peer.send_many": {
        "peers": ["bob", "carol"],
        "message_id": "m7",
        "message": {"type": "TEXT", "text": "hello"},
        "offline": True,
        "historical": True,
    },
    "peer.history": {"peer": "bob", "before": 9, "after": 0, "limit": 10, "order": "asc"},
    "presence.query": {"uids": ["ann", "bob"]},
    "presence.subscribe": {"uids": ["ann", "bob"]},
    "presence.unsubscribe": {"uids": ["ann", "bob"]},
    "presence.subscriptions": {},
    "user.get_attributes": {"uid": "ann", "keys": ["a"]},
    "user.set_attributes": {"attributes": {"a": "1"}},
    "user.update_attributes": {"attributes": {"a": "1"}},
    "user.delete_attributes": {"keys": ["a"]},
    "user.clear_attributes": {},
    "invitation.send": {"invitation": "i1", "peer": "bob", "content": "a call", "channel": "math"},
    "invitation.confirm": {"invitation": "from-bob", "caller": "bob"},
    "invitation.accept": {"invitation": "from-bob", "caller": "bob", "response": "yes"},
    "invitation.refuse": {"invitation": "from-bob", "caller": "bob", "response": "no"},
    "invitation.cancel": {"invitation": "to-bob", "content": "never mind"},
    "invitation.list": {"before": 9},
    "media.start": {"kind": "IMAGE", "name": "blackboard.png", "size": 3_000},
    "media.finish": {"media": "0" * 32},
    "media.abandon": {"media": "0" * 32},
    "media.url": {"media": "0" * 32, "thumbnail": False},
}
"""Params of each method, with every field it has."""

WRONG: Final[tuple[Any, ...]] = (
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    "",
    "\x00",
    "\n\n",
    "x" * 5_000,
    [],
    [None],
    [[]],
    ["", ""],
    {},
    {"": None},
    {"a": {"b": []}},
)
"""What a field may be given. Most of it is wrong for most fields."""

every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def test_every_method_has_an_example_here_that_names_all_its_fields() -> None:
    assert set(EXAMPLES) == set(METHODS)
    for name, example in EXAMPLES.items():
        assert set(example) == {field.encode_name for field in msgspec.structs.fields(METHODS[name].params)}, name


def structs_in(shape: inspect.Type) -> Iterator[inspect.StructType]:
    """Every struct that a type is made of, itself included."""
    match shape:
        case inspect.StructType():
            yield shape
            for field in shape.fields:
                yield from structs_in(field.type)
        case inspect.UnionType():
            for part in shape.types:
                yield from structs_in(part)
        case inspect.ListType():
            yield from structs_in(shape.item_type)
        case inspect.DictType():
            yield from structs_in(shape.value_type)
        case inspect.Metadata():
            yield from structs_in(shape.type)


@every_method
def test_it_says_what_it_does(method: Method) -> None:
    assert len(method.doc) > 20
    assert method.doc.endswith(".")


@every_method
def test_its_name_is_a_noun_and_a_verb(method: Method) -> None:
    noun, _, verb = method.name.partition(".")
    assert noun.isidentifier()
    assert verb.isidentifier()
    assert method.name == method.name.lower()


@every_method
def test_it_takes_no_unknown_fields_at_any_depth(method: Method) -> None:
    found = list(structs_in(inspect.type_info(method.params)))
    assert found
    for struct in found:
        assert struct.forbid_unknown_fields, struct.cls


@every_method
def test_every_text_and_list_and_map_it_takes_is_bounded(method: Method) -> None:
    """By its type, or (a room's attributes) by a limit of the project."""
    limited = {"attributes", "keys"}
    for struct in structs_in(inspect.type_info(method.params)):
        for field in struct.fields:
            for part in parts(field.type):
                if isinstance(part, inspect.ListType | inspect.DictType):
                    assert part.max_length is not None, (struct.cls, field.name)
                elif isinstance(part, inspect.StrType) and field.name not in limited:
                    assert part.max_length is not None or part.pattern is not None, (struct.cls, field.name)


def parts(shape: inspect.Type) -> Iterator[inspect.Type]:
    """The types a field is made of, without those of structs in it."""
    match shape:
        case inspect.UnionType():
            for part in shape.types:
                yield from parts(part)
        case inspect.Metadata():
            yield from parts(shape.type)
        case inspect.ListType():
            yield shape
            yield from parts(shape.item_type)
        case inspect.DictType():
            yield shape
            yield from parts(shape.value_type)
        case _:
            yield shape


@every_method
def test_it_spends_a_rate_bucket_of_the_table_or_is_free_for_a_reason(method: Method) -> None:
    if method.name in FREE:
        assert method.rate is None
    else:
        assert method.rate in RATES


@every_method
def test_it_needs_a_session_unless_it_is_open_to_all(method: Method) -> None:
    assert method.needs_session is (method.name not in OPEN)


@every_method
def test_what_changes_something_carries_a_message_id(method: Method) -> None:
    """A deletion that of the message: it is one, however often."""
    carries = "message_id" in method.params.__struct_fields__
    assert carries is (method.name in ("room.send", "room.delete_message", "peer.send", "peer.send_many", *CHANGES))


def test_every_event_says_what_it_means() -> None:
    for event in EVENTS.values():
        assert len(event.doc) > 20, event.name


@every_method
async def test_before_the_login_it_is_refused(open_client: Callable[..., Client], method: Method) -> None:
    if method.name in OPEN:
        return
    client = open_client()
    for params in (EXAMPLES[method.name], {}, {"wrong": 1}):
        with pytest.raises(CallFailed) as refused:
            await client.call(method.name, **params)
        assert refused.value.name == "not_logged_in"
    assert await client.call("session.ping") == {}


async def test_a_method_that_is_not_there(open_client: Callable[..., Client], app: str) -> None:
    client = open_client()
    for attempt in range(2):
        for name in ("", "room", "room.", ".join", "room.Join", "room.join ", "__init__", "rpc.discover", "x" * 10_000):
            with pytest.raises(CallFailed) as refused:
                await client.call(name)
            assert refused.value.name == "method_not_found"
        if attempt == 0:
            await client.login(app, "ann")


async def outcome(client: Client, method: Method, params: str) -> str:
    """ "done", or the name of the error; which is one that the method declares."""
    future = await client.start_text(method.name, params)
    await asyncio.wait({future})
    answer = future.exception()
    if answer is None:
        return "done"
    assert isinstance(answer, CallFailed), answer
    declared = {kind.name for kind in ANSWERS_OF_ANY.union(method.errors)}
    assert answer.name in declared, f"{method.name} does not declare {answer.name}"
    return answer.name


def is_valid(method: Method, params: object) -> bool:
    """By the method's struct; what a message holds is looked at later."""
    try:
        method.decode(msgspec.Raw(json.dumps(params).encode()))
    except msgspec.ValidationError:
        return False
    return True


@pytest.fixture
async def caller(
    open_client: Callable[..., Client], fast_app: str, request: pytest.FixtureRequest
) -> Callable[[Method], Any]:
    """Opens a client for calls of a method: in the room "math", unless the method is the login; with
    an open invitation from and to bob, a message, or a file, where that is what it is about."""

    async def open_one(method: Method) -> Client:
        client = open_client()
        if method.name != "session.login":
            await client.login(fast_app, "ann")
            await client.call("room.join", room="math")
        if method.name == "room.send":
            await client.send("math", "the one before", "m0")
        if method.name == "room.delete_message":
            await client.send("math", "to be deleted", "m1")
        if method.name.startswith("invitation."):
            bob = open_client()
            await bob.login(fast_app, "bob")
            await bob.call("invitation.send", invitation="from-bob", peer="ann")
            await client.call("invitation.send", invitation="to-bob", peer="bob")
        if method.name.startswith("media."):
            await give_media(fast_app, "ann", "0" * 32, b"content", ready=method.name == "media.url")
        return client

    return open_one


@every_method
async def test_its_example_is_done(caller: Callable[[Method], Any], method: Method, fast_app: str) -> None:
    """Without which the refusals below prove nothing."""
    client = await caller(method)
    example = EXAMPLES[method.name]
    if method.name == "session.login":
        example = {**example, "app": fast_app}
    if "revision" in example:
        example = {**example, "revision": 0}
    assert await outcome(client, method, json.dumps(example)) == "done"


@every_method
async def test_wrong_fields_are_an_error_reply_and_leave_the_socket_open(
    caller: Callable[[Method], Any], method: Method
) -> None:
    client = await caller(method)
    example = EXAMPLES[method.name]
    refused = 0
    for field in example:
        for value in WRONG:
            params = {**example, field: value}
            said = await outcome(client, method, json.dumps(params))
            assert said != "internal", params
            if field == "message" or not is_valid(method, params):
                assert said == "invalid_params", params
                refused += 1
    assert refused >= 5 * len(example)
    assert await client.call("session.ping") == {}


@every_method
async def test_missing_and_unknown_fields_are_an_error_reply(caller: Callable[[Method], Any], method: Method) -> None:
    client = await caller(method)
    example = EXAMPLES[method.name]
    required = {field.encode_name for field in msgspec.structs.fields(method.params) if field.required}
    for field in required:
        params = {name: value for name, value in example.items() if name != field}
        assert await outcome(client, method, json.dumps(params)) == "invalid_params", field
    for unknown in ("wrong", "Room", "", "__class__", "x" * 1_000):
        assert await outcome(client, method, json.dumps({**example, unknown: 1})) == "invalid_params", unknown
    assert await client.call("session.ping") == {}


@every_method
async def test_params_that_are_no_object_are_an_error_reply(caller: Callable[[Method], Any], method: Method) -> None:
    client = await caller(method)
    values = json.dumps(list(EXAMPLES[method.name].values()))
    for params in ("null", "[]", values, '"math"', "0", "true", "[" * 50 + "]" * 50):
        assert await outcome(client, method, params) == "invalid_params", params
    assert await client.call("session.ping") == {}


@every_method
async def test_params_nested_beyond_reason_are_an_error_reply(caller: Callable[[Method], Any], method: Method) -> None:
    client = await caller(method)
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        for depth in (500, 20_000):
            inner = opening * depth + "1" + closing * depth
            for params in (inner, f'{{"room":{inner}}}', f'{{"message":{inner}}}'):
                request = f'{{"jsonrpc":"2.0","id":"deep","method":"{method.name}","params":{params}}}'
                before = len(client.frames)
                await client.send_text(request)
                await client.call("session.ping")
                assert any('"error"' in frame for frame in client.frames[before:])
