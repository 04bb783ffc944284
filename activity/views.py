from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from activity.client_logs import ClientLogs
from realtime import runtime as runtimes
from realtime.errors import METHOD_NOT_FOUND, RpcError
from realtime.rest.errors import V1
from realtime.rest.interface import failure_response

ALLOWED: Final = "OPTIONS, POST"


@csrf_exempt  # it asks for a token, no cookie
async def client_logs(request: HttpRequest) -> HttpResponse:
    """Takes a batch of a client's log, from pages of any origin (docs/rest.md)."""
    try:
        response = await _answer(request)
    except RpcError as error:
        response = failure_response(V1, error)
    response["Access-Control-Allow-Origin"] = "*"
    response["Access-Control-Expose-Headers"] = "Retry-After"
    response["Cache-Control"] = "no-store"
    return response


async def _answer(request: HttpRequest) -> HttpResponse:
    match request.method:
        case "POST":
            runtime = await runtimes.started()
            origin = request.headers.get("origin")
            await runtime.part(ClientLogs).take(request.body, address=_address(request), origin=origin)
            return HttpResponse(status=204)
        case "OPTIONS":
            allowed = {"Methods": ALLOWED, "Headers": "content-type"}
            headers = {f"Access-Control-Allow-{name}": value for name, value in allowed.items()}
            return HttpResponse(status=204, headers={**headers, "Access-Control-Max-Age": "86400"})
        case _:
            response = failure_response(V1, RpcError(METHOD_NOT_FOUND), 405)
            response["Allow"] = ALLOWED
            return response


def _address(request: HttpRequest) -> str:
    """Where the request came from: behind a proxy that is trusted, what that one has put last."""
    forwarded = request.headers.get("x-forwarded-for", "") if settings.TRUST_PROXY else ""
    return forwarded.rpartition(",")[2].strip() or str(request.META.get("REMOTE_ADDR", ""))
