"""What a client was told of a room's members, and of the states of others."""

from tests.support.client import Client


def notices(client: Client) -> list[str]:
    """So far and in order, as in "joined bob" or "counted 2"; taken from the client."""
    told = []
    while not client.pushes.empty():
        push = client.pushes.get_nowait()
        assert isinstance(push, dict), push
        noun, _, verb = push["method"].partition(".")
        if noun == "room" and verb in ("joined", "left"):
            told.append(f"{verb} {push['params']['uid']}")
        elif push["method"] == "room.counted":
            told.append(f"counted {push['params']['count']}")
    return told


def people(client: Client) -> list[str]:
    """The same without the counts."""
    return [told for told in notices(client) if not told.startswith("counted")]


def states(client: Client) -> list[str]:
    """What it was told of the states it has subscribed to, as in "bob OFFLINE"; taken from the client."""
    told = []
    while not client.pushes.empty():
        push = client.pushes.get_nowait()
        assert isinstance(push, dict), push
        if push["method"] == "presence.changed":
            told += [f"{uid} {state}" for uid, state in push["params"]["states"].items()]
    return told
