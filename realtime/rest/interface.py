"""Makes an interface: a NinjaAPI with our authentication, rates, parser and errors."""

import logging
import secrets
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, cast

import msgspec
from django.core.exceptions import SuspiciousOperation
from django.core.exceptions import ValidationError as ModelError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI, Router, Swagger
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.parser import Parser
from ninja.renderers import BaseRenderer

from realtime import errors
from realtime.errors import RpcError
from realtime.rest.callers import costs
from realtime.rest.errors import Shape
from realtime.rest.requests import CallerGone, RestRequest

logger = logging.getLogger(__name__)

_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


class StrictParser(Parser):
    """JSON only, without what Python's own reader lets pass: NaN, half characters."""

    def parse_body(self, request: HttpRequest) -> Any:
        return _decode(cast(RestRequest, request).take_body())


class Renderer(BaseRenderer):
    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        return _encode(data)


def make_interface(
    *, title: str, description: str, version: str, namespace: str, shape: Shape, routers: Sequence[tuple[str, Router]]
) -> NinjaAPI:
    """An interface of these routers, each with its prefix. Every call needs a credential or a token, and spends the
    rate `rest_calls`, or a user's `session`, unless it names its own."""
    interface = NinjaAPI(
        title=title,
        description=description,
        version=version,
        urls_namespace=namespace,
        auth=costs(),
        parser=StrictParser(),
        renderer=Renderer(),
        # Without `validatorUrl` the page would ask a third party.
        docs=Swagger(settings={"validatorUrl": None, "persistAuthorization": False}),
    )
    for kind in (RpcError, HttpError, ValidationError, Http404, Exception):  # ninja looks for the nearest class
        interface.add_exception_handler(kind, partial(_failure, shape))
    interface.add_exception_handler(CallerGone, _pass_on)
    for prefix, router in routers:
        interface.add_router(prefix, router)
    return interface


def _pass_on(request: HttpRequest, error: Any) -> HttpResponse:
    raise error


def _failure(shape: Shape, request: HttpRequest, error: Any) -> HttpResponse:
    known = _known(request, error)
    return failure_response(shape, known)


def failure_response(shape: Shape, error: RpcError, status: int | None = None) -> HttpResponse:
    response = HttpResponse(
        _encode(shape.body(error)),
        status=status if status is not None else shape.status(error),
        content_type="application/json",
    )
    wait_ms = error.data.get("retry_after_ms")
    if wait_ms is not None:
        response["Retry-After"] = str(max(1, -(-wait_ms // 1000)))
    return response


def _known(request: HttpRequest, error: Exception) -> RpcError:
    match error:
        case RpcError():
            return error
        case AuthenticationError():
            return RpcError(errors.INVALID_TOKEN, "A credential or token of this project is needed.")
        case ValidationError():
            return RpcError(errors.INVALID_PARAMS, _first(error))
        case ModelError():
            return RpcError(errors.INVALID_PARAMS, "; ".join(error.messages))
        case msgspec.ValidationError():
            return RpcError(errors.INVALID_PARAMS, str(error)[:300])
        case Http404():
            return RpcError(errors.METHOD_NOT_FOUND)
        case HttpError() | SuspiciousOperation():
            return RpcError(errors.INVALID_PARAMS, str(error)[:300])
    incident = secrets.token_hex(6)
    logger.error("incident %s in %s %s", incident, request.method, request.path, exc_info=error)
    return RpcError(errors.INTERNAL, incident=incident)


def _first(error: ValidationError) -> str:
    """What is wrong, and where."""
    first = error.errors[0]
    place = [str(part) for part in first["loc"][1:] if part not in ("body", "query", "path")]
    return ": ".join(filter(None, (".".join(place), str(first["msg"]))))[:300]
