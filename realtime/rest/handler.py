"""REST requests on their way in and out: a small ASGI application beside Django's.

Django's own handler takes a thread for every request, for as long as it lasts, as some of its middleware is not
asynchronous; a call that waits for a receipt would hold one for seconds. Here a request's origin and its caller are
checked by its head, its body is read up to its bound if somebody was let in, and the view runs on the loop. Cookies
mean nothing, so there are no sessions and no CSRF.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Any, Final

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope
from django.conf import settings
from django.http import Http404, HttpResponse
from django.urls import resolve

from realtime import errors
from realtime import runtime as runtimes
from realtime.errors import RpcError
from realtime.pressure import overloaded
from realtime.protocol import MAX_FRAME_BYTES
from realtime.rest.callers import identify
from realtime.rest.errors import V1, VENDOR, Shape
from realtime.rest.interface import failure_response
from realtime.rest.requests import RestRequest
from realtime.rest.slots import Slot
from realtime.rest.state import Rest
from realtime.runtime import Runtime
from realtime.server import REQUEST_S

MAX_BODY_BYTES: Final = MAX_FRAME_BYTES
"""32 KiB of text may grow sixfold by escaping."""
BODY_TIMEOUT_S: Final = REQUEST_S - 1
"""Before the time is up that any request has: this interface says so in its own shape."""
PATHS: Final[Mapping[re.Pattern[str], Shape]] = {
    re.compile(r"/dev/v2/project/(?P<app_id>[^/]+)/"): VENDOR,
    re.compile(r"/api/v1/projects/(?P<app_id>[^/]+)/"): V1,
}
HEADERS_TAKEN: Final = "authorization, content-type, idempotency-key, x-request-id, x-agora-token, x-agora-uid"
METHODS_TAKEN: Final = "GET, POST, PUT, PATCH, DELETE"


class _Gone(Exception):
    """The caller has closed the connection."""


def is_rest(path: str) -> bool:
    return any(pattern.match(path) for pattern in PATHS)


async def rest(scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """The application for the paths of `PATHS`."""
    shape, app_id = _place(scope["path"])
    headers = {str(name, "latin-1"): str(value, "latin-1") for name, value in scope["headers"]}
    runtime = await runtimes.started()
    origin = headers.get("origin")
    try:
        if origin is not None:
            await _check_origin(runtime, app_id, origin)
        if origin is not None and scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            response = _preflight()
        else:
            response = _in_shape(shape, await _answer(runtime, app_id, scope, receive))
    except RpcError as error:
        response = failure_response(shape, error)
    except _Gone:
        return
    _add_headers(response, origin)
    await _send(response, send)


async def _answer(runtime: Runtime, app_id: str, scope: HTTPScope, receive: ASGIReceiveCallable) -> HttpResponse:
    """The view's answer. Who is not let in gets it without a look at the body."""
    if runtime.draining:
        raise overloaded()
    slot = runtime.part(Rest).slots.take(sum(len(name) + len(value) for name, value in scope["headers"]))
    try:
        request = RestRequest(scope, slot)
        if settings.SECURE_SSL_REDIRECT and not request.is_secure():
            raise RpcError(errors.NOT_AUTHORIZED, "Only by HTTPS.")
        try:
            match = resolve(request.path_info)
        except Http404:
            raise RpcError(errors.METHOD_NOT_FOUND) from None
        request.resolver_match = match
        try:
            request.caller = await identify(runtime, app_id, request.headers)
        except RpcError as refusal:
            request.refusal = refusal
        if request.caller is not None:
            slot.let_in(request.caller.tenant.id)
            request.content = await _read_body(request.headers, slot, receive)
        response: HttpResponse = await match.func(request, *match.args, **match.kwargs)
        return response
    finally:
        slot.give_back()


def _place(path: str) -> tuple[Shape, str]:
    for pattern, shape in PATHS.items():
        found = pattern.match(path)
        if found is not None:
            return shape, found["app_id"]
    raise ValueError(f"no path of the REST interface: {path}")


async def _check_origin(runtime: Runtime, app_id: str, origin: str) -> None:
    """A page of another origin than the project's list has may do nothing, and is told nothing."""
    tenant = await runtime.tenants.get(app_id)
    if tenant is None or not tenant.accepts_origin(origin):
        raise RpcError(errors.NOT_AUTHORIZED, "The project does not list this origin.")


def _in_shape(shape: Shape, response: HttpResponse) -> HttpResponse:
    """A method that is not allowed is told in the interface's own shape."""
    if response.status_code < 400 or response["Content-Type"] == "application/json":
        return response
    told = failure_response(shape, RpcError(errors.METHOD_NOT_FOUND), response.status_code)
    if "Allow" in response:
        told["Allow"] = ", ".join(sorted(response["Allow"].split(", ")))
    return told


def _preflight() -> HttpResponse:
    response = HttpResponse(status=204)
    response["Access-Control-Allow-Methods"] = METHODS_TAKEN
    response["Access-Control-Allow-Headers"] = HEADERS_TAKEN
    response["Access-Control-Max-Age"] = "600"
    return response


async def _read_body(headers: Mapping[str, str], slot: Slot, receive: ASGIReceiveCallable) -> bytes:
    """The whole body. Raises RpcError `size_overflow` as soon as a header says so, or so much has come; `overloaded`
    before the process holds more than it has room for."""
    length = headers.get("content-length", "")
    held = int(length) if length.isdecimal() and len(length) < 20 else 0
    _check_size(held)
    slot.hold(held)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            while True:
                message: Any = await receive()
                if message["type"] != "http.request":
                    raise _Gone
                part = message.get("body", b"")
                size += len(part)
                _check_size(size)
                if size > held:
                    slot.hold(size - held)
                    held = size
                parts.append(part)
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        raise RpcError(errors.EXPIRED, "The body did not come in time.") from None


def _check_size(size: int) -> None:
    if size > MAX_BODY_BYTES:
        raise RpcError(errors.SIZE_OVERFLOW, f"A body has at most {MAX_BODY_BYTES} bytes.")


def _add_headers(response: HttpResponse, origin: str | None) -> None:
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    response["Vary"] = "Origin"
    if origin is not None and response.status_code != 403:
        response["Access-Control-Allow-Origin"] = origin
        response["Access-Control-Expose-Headers"] = "Retry-After"


async def _send(response: HttpResponse, send: ASGISendCallable) -> None:
    headers = [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
    headers.append((b"content-length", str(len(response.content)).encode()))
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": response.content, "more_body": False})
