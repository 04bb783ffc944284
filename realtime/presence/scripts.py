"""The Redis store's Lua scripts, put together from the files in `lua/`."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Final

from realtime.presence.base import PresenceTiming

SERVER_CLOCK: Final = "local t = redis.call('TIME') return t[1] * 1000 + math.floor(t[2] / 1000)"
"""Body of a Lua function that returns the store's time in ms. Tests put their own in its place."""

OK, STALE, UNKNOWN, NO_LEASE = 1, 0, -1, -2
"""As in lua/common.lua."""

LUA: Final = Path(__file__).with_name("lua")


def load_scripts(prefix: str, timing: PresenceTiming, clock: str) -> dict[str, str]:
    """The scripts by name, each with the constants and common.lua before it."""
    assert re.fullmatch(r"[\w:.-]*", prefix), f"not fit for the names of keys: {prefix!r}"
    constants = {field.name: getattr(timing, field.name) for field in fields(timing)} | {
        "gone_removal_ms": timing.gone_removal_ms,
        "lease_removal_ms": timing.lease_removal_ms,
    }
    head = [
        f"local PREFIX = '{prefix}'",
        *(f"local {name.upper()} = {value}" for name, value in constants.items()),
        f"local function now_ms() {clock} end",
        (LUA / "common.lua").read_text(),
    ]
    return {path.stem: "\n".join([*head, path.read_text()]) for path in LUA.glob("*.lua") if path.stem != "common"}
