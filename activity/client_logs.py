"""Logs that clients' SDKs send about themselves: what a batch is, who may send one, and how often (docs/rest.md)."""

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec

from activity.services.client_logs import store_client_log
from messaging.selectors import from_ms
from projects.limits import Rate
from projects.names import is_user_id
from projects.selectors import Tenant
from projects.tokens import MAX_CHARS
from realtime.errors import (
    BANNED,
    INVALID_APP_ID,
    INVALID_PARAMS,
    NOT_AUTHORIZED,
    SIZE_OVERFLOW,
    RpcError,
)
from realtime.ids import AppId, Name
from realtime.rates import KeyedBuckets
from realtime.rest.state import Rest
from realtime.tokens import token_end

if TYPE_CHECKING:
    from realtime.runtime import Runtime

MAX_BATCH_BYTES: Final = 64 * 1024
ADDRESS_RATE: Final = Rate(100, 60_000)
"""Of one address, an IPv6 one by its network, whatever it sends; a project's is in `projects/limits.py`."""
ADDRESSES: Final = 20_000
LATEST_MS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999."""

Word = Annotated[str, msgspec.Meta(pattern=r"\A[ -~]*\Z")]


class Line(msgspec.Struct, forbid_unknown_fields=True):
    """`ts`: ms since 1970, the client's clock."""

    ts: Annotated[int, msgspec.Meta(ge=0, le=LATEST_MS)]
    level: Literal["error", "warn", "info", "track", "debug"]
    text: str


class Batch(msgspec.Struct, forbid_unknown_fields=True):
    app: AppId
    uid: Name
    lines: Annotated[list[Line], msgspec.Meta(min_length=1)]
    token: Annotated[str, msgspec.Meta(max_length=MAX_CHARS)] | None = None
    sdk: Annotated[Word, msgspec.Meta(max_length=64)] = ""
    version: Annotated[Word, msgspec.Meta(max_length=32)] = ""


_decode: Final = msgspec.json.Decoder(Batch).decode


def _network(address: str) -> str:
    """What is one sender's: an IPv4 address, but 64 bits of an IPv6 one, whose others it chooses itself."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address  # of a socket without one, or as a proxy names it
    if ip.version == 4:
        return address
    return str(ip.ipv4_mapped or ip_network((int(ip) >> 64 << 64, 64)))


class ClientLogs:
    """A part of the runtime. The rates are this process's own."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._addresses = KeyedBuckets(ADDRESS_RATE, ADDRESSES)

    async def take(self, body: bytes, *, address: str, origin: str | None) -> None:
        """Stores a batch of a user who might log in as it says: the same project, token, origin and bans.

        Raises RpcError `too_often`, `size_overflow`, `invalid_params`, `invalid_app_id`, `not_authorized`,
        `invalid_token`, `token_expired`, `banned`, `unavailable`, `overloaded`.
        """
        address = _network(address)
        self._addresses.spend(address, self._runtime.loop.time())
        if len(body) > MAX_BATCH_BYTES:
            raise RpcError(SIZE_OVERFLOW, f"A batch has at most {MAX_BATCH_BYTES} bytes.")
        try:
            batch = _decode(body)
        except msgspec.DecodeError as error:
            raise RpcError(INVALID_PARAMS, str(error)[:300]) from None
        tenant = await self._admit(batch, origin)
        self._runtime.part(Rest).buckets.spend(tenant, None, "client_logs")
        await self._runtime.bridge.write(
            store_client_log,
            project_id=tenant.id,
            uid=batch.uid,
            address=address,
            sdk=batch.sdk,
            version=batch.version,
            lines=msgspec.json.encode(batch.lines).decode(),
            now=from_ms(self._runtime.clock_ms()),
        )

    async def _admit(self, batch: Batch, origin: str | None) -> Tenant:
        if not is_user_id(batch.uid):
            raise RpcError(INVALID_PARAMS, "uid is 1 to 64 bytes and not 'null'")
        tenant = await self._runtime.tenants.get(batch.app)
        if tenant is None:
            raise RpcError(INVALID_APP_ID)
        if not tenant.accepts_origin(origin):
            raise RpcError(NOT_AUTHORIZED, "The project does not list this origin.")
        token_end(tenant, batch.uid, batch.token, self._runtime.clock_ms())
        if await self._runtime.removals.ban_of(tenant, batch.uid) is not None:
            raise RpcError(BANNED, "The user is banned.")
        return tenant

    async def start(self) -> None:
        return

    async def drain(self) -> None:
        """The server finishes the requests that it has begun."""

    async def stop(self) -> None:
        return
