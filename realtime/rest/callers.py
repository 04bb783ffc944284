"""Who calls: a project's server with its credential, or a user with a token (docs/contract.md 10)."""

from dataclasses import dataclass
from typing import Any, cast

from django.http import HttpRequest
from ninja.security import HttpBasicAuth
from ninja.security.base import AuthBase

from projects.selectors import Tenant
from projects.tokens import ExpiredToken, InvalidToken
from realtime import runtime as runtimes
from realtime.errors import BANNED, INVALID_TOKEN, NOT_AUTHORIZED, TOKEN_EXPIRED, RpcError
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
    return cast(Caller, request.auth)  # type: ignore[attr-defined]


def _app_id(request: HttpRequest) -> str:
    match = request.resolver_match
    assert match is not None
    return str(match.kwargs["app_id"])


class CustomerCredential(HttpBasicAuth):
    """The customer id and secret of one of the project's credentials."""

    openapi_description = "Customer id and secret, made by `manage.py create_credential` or in the admin."

    async def authenticate(self, request: HttpRequest, username: str, password: str) -> Caller | None:
        runtime = await runtimes.started()
        tenant = await runtime.tenants.get(_app_id(request))
        if tenant is None or not await runtime.part(Rest).credentials.admits(tenant.id, username, password):
            return None
        return Caller(runtime, tenant, None)


class UserToken(AuthBase):
    """A token of docs/contract.md 9 in `x-agora-token`, its user in `x-agora-uid`. A valid one is asked for also while
    the project's certificate is off: what anybody may say in a room is not what anybody may do here."""

    openapi_type = "apiKey"
    openapi_in = "header"
    openapi_name = "x-agora-token"
    openapi_description = "A user's token; the user's id goes into the header `x-agora-uid`."

    def __call__(self, request: HttpRequest) -> Any:
        token = request.headers.get("x-agora-token")
        return self.authenticate(request, token) if token else None

    async def authenticate(self, request: HttpRequest, token: str) -> Caller | None:
        """Raises RpcError `invalid_token`, `token_expired`, `banned`."""
        runtime = await runtimes.started()
        uid = request.headers.get("x-agora-uid", "")
        tenant = await runtime.tenants.get(_app_id(request))
        if tenant is None:
            return None
        try:
            tenant.verify_token(token, uid, runtime.clock_ms())
        except InvalidToken as error:
            raise RpcError(INVALID_TOKEN, str(error)) from None
        except ExpiredToken:
            raise RpcError(TOKEN_EXPIRED) from None
        if await runtime.removals.ban_of(tenant, uid) is not None:
            raise RpcError(BANNED, "The user is banned.")
        return Caller(runtime, tenant, uid)
