from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from realtime.openrpc import build_openrpc


@require_safe
def openrpc(request: HttpRequest) -> JsonResponse:
    """The protocol's machine-readable description; public, readable from any origin."""
    response = JsonResponse(build_openrpc())
    response["Access-Control-Allow-Origin"] = "*"
    return response
