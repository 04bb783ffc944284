"""Who calls: a project's server with its credential, or a user with a token (docs/contract.md 10)."""

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, cast

from django.http import HttpRequest
from ninja.security.base import AuthBase

from projects.selectors import Tenant
from projects.tokens import ExpiredToken, InvalidToken
from realtime.errors import BANNED, INVALID_TOKEN, NOT_AUTHORIZED, TOKEN_EXPIRED, RpcError
from realtime.rest.requests import RestRequest
from realtime.rest.state import Rest
from realtime.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Caller:
    """`uid`: the user whose token was shown; None: the project's server, which may act as anybody."""

    runtime: Runtime
    tenant: Tenant
    uid: str | None

    def act_as(self, uid: str) -> None:
        """Raises RpcError `not_authorized` for a user who is not the token's."""
        if self.uid not in (None, uid):
            raise RpcError(NOT_AUTHORIZED, "The token is another user's.")

    def acts_as(self, uid: str | None) -> str:
        """The user a call is made as: the token's, or the one that the project's server names."""
        acting = uid if uid is not None else self.uid
        if acting is None:
            raise RpcError(NOT_AUTHORIZED, "Name the user as `uid`.")
        self.act_as(acting)
        return acting

    def require_server(self) -> None:
        """Raises RpcError `not_authorized` for a user."""
        if self.uid is not None:
            raise RpcError(NOT_AUTHORIZED, "Only for the project's own server, with its credential.")


def caller_of(request: HttpRequest) -> Caller:
    """Who was let in."""
    caller = cast(RestRequest, request).caller
    assert caller is not None
    return caller


async def identify(runtime: Runtime, app_id: str, headers: Mapping[str, str]) -> Caller | None:
    """Who calls, by the head of a request; None for nobody of the project. Raises RpcError `invalid_token`,
    `token_expired`, `banned`, `unavailable`."""
    tenant = await runtime.tenants.get(app_id)
    if tenant is None:
        return None
    credential = _basic(headers.get("authorization", ""))
    if credential is not None and await runtime.part(Rest).credentials.admits(tenant.id, *credential):
        return Caller(runtime, tenant, None)
    token = headers.get("x-agora-token")
    return await _user(runtime, tenant, token, headers.get("x-agora-uid", "")) if token else None


def _basic(header: str) -> tuple[str, str] | None:
    """The customer id and the secret."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        customer_id, colon, secret = b64decode(encoded).decode().partition(":")
    except ValueError:
        return None
    return (customer_id, secret) if colon else None


async def _user(runtime: Runtime, tenant: Tenant, token: str, uid: str) -> Caller:
    try:
        tenant.verify_token(token, uid, runtime.clock_ms())
    except InvalidToken as error:
        raise RpcError(INVALID_TOKEN, str(error)) from None
    except ExpiredToken:
        raise RpcError(TOKEN_EXPIRED) from None
    if await runtime.removals.ban_of(tenant, uid) is not None:
        raise RpcError(BANNED, "The user is banned.")
    return Caller(runtime, tenant, uid)


class Cost(NamedTuple):
    """The rates of which a call spends one: the project's server, or a user. A user spends, of their own, what the same
    call would on the socket; so no user spends what the project's server has."""

    server: str
    user: str


class _LetIn(AuthBase):
    """What the interface's documents say of a way to be let in. Whether somebody was is known by then; what the call
    costs is spent before its body is read."""

    def __init__(self, cost: Cost) -> None:
        super().__init__()
        self.cost = cost

    async def __call__(self, request: HttpRequest) -> Caller | None:
        """Raises what `identify` has raised, RpcError `too_often`, and what `RestRequest.read_body` raises."""
        known = cast(RestRequest, request)
        if known.refusal is not None:
            raise known.refusal
        caller = known.caller
        if caller is not None:
            rate = self.cost.server if caller.uid is None else self.cost.user
            caller.runtime.part(Rest).buckets.spend(caller.tenant, caller.uid, rate)
            await known.read_body()
        return caller


class CustomerCredential(_LetIn):
    """The customer id and secret of one of the project's credentials."""

    openapi_type = "http"
    openapi_scheme = "basic"
    openapi_description = "Customer id and secret, made by `manage.py create_credential` or in the admin."


class UserToken(_LetIn):
    """A token of docs/contract.md 9 in `x-agora-token`, its user in `x-agora-uid`. A valid one is asked for also while
    the project's certificate is off: what anybody may say in a room is not what anybody may do here."""

    openapi_type = "apiKey"
    openapi_in = "header"
    openapi_name = "x-agora-token"
    openapi_description = "A user's token; the user's id goes into the header `x-agora-uid`."


def costs(*, server: str = "rest_calls", user: str = "session") -> list[AuthBase]:
    """Who is let in, and which rate one call spends: of the project's server, and of a user."""
    cost = Cost(server, user)
    return [CustomerCredential(cost), UserToken(cost)]
