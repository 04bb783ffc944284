"""REST requests on their way in and out: a small ASGI application beside Django's.

Django's own handler takes a thread for every request, for as long as it lasts, as some of its middleware is not
asynchronous; a call that waits for a receipt would hold one for seconds. Here a request's origin and its caller are
checked by its head, its body is read up to its bound if somebody was let in, and the view runs on the loop. Cookies
mean nothing, so there are no sessions and no CSRF.
"""

import asyncio
import re
from collections.abc import Coroutine, Mapping
from typing import Any, Final

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope
from django.conf import settings
from django.http import Http404, HttpResponse
from django.urls import resolve

from realtime import errors
from realtime import runtime as runtimes
from realtime.errors import RpcError
from realtime.pressure import overloaded
from realtime.rest.callers import identify
from realtime.rest.errors import V1, VENDOR, Shape
from realtime.rest.interface import failure_response
from realtime.rest.requests import CallerGone, RestRequest
from realtime.rest.state import Rest, restarting
from realtime.runtime import Runtime
from realtime.tasks import cancel_all

PATHS: Final[Mapping[re.Pattern[str], Shape]] = {
    re.compile(r"/dev/v2/project/(?P<app_id>[^/]+)/"): VENDOR,
    re.compile(r"/api/v1/projects/(?P<app_id>[^/]+)/"): V1,
}
HEADERS_TAKEN: Final = "authorization, content-type, idempotency-key, x-request-id, x-agora-token, x-agora-uid"
METHODS_TAKEN: Final = "GET, POST, PUT, PATCH, DELETE"


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
    except CallerGone:
        return
    except asyncio.CancelledError:  # the server ends, and its time for requests is up
        response = failure_response(shape, restarting())
    _add_headers(response, origin)
    await _send(response, send)


async def _answer(runtime: Runtime, app_id: str, scope: HTTPScope, receive: ASGIReceiveCallable) -> HttpResponse:
    """The view's answer. Who is not let in gets it without a look at the body."""
    if runtime.draining:
        raise overloaded()
    slot = runtime.part(Rest).slots.take(sum(len(name) + len(value) for name, value in scope["headers"]))
    try:
        request = RestRequest(scope, slot, receive)
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
            slot.let_in(request.caller.tenant.id, request.caller.uid)
        answer = match.func(request, *match.args, **match.kwargs)
        return await (_unless_closed(request, answer) if request.method == "GET" else answer)
    finally:
        slot.give_back()


async def _unless_closed(request: RestRequest, answer: Coroutine[Any, Any, HttpResponse]) -> HttpResponse:
    """The answer of a call that only reads: it is given up when its caller goes. Raises CallerGone."""
    answering = asyncio.ensure_future(answer)
    closed = asyncio.ensure_future(request.closed())
    try:
        await asyncio.wait((answering, closed), return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            raise CallerGone
        return answering.result()
    finally:
        await cancel_all((answering, closed))


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
