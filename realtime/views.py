from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from realtime.openrpc import build_openrpc


@require_safe
def openrpc(request: HttpRequest) -> JsonResponse:
    """The protocol's machine-readable description; public, readable from any origin."""
    response = JsonResponse(build_openrpc())
    response["Access-Control-Allow-Origin"] = "*"
    return response


@require_safe
def endpoints(request: HttpRequest) -> JsonResponse:
    """Which servers clients may choose from by area (docs/contract.md 1); none: this one is everybody's."""
    listed = [{"area": area, "url": url} for area, url in settings.RTM_ENDPOINTS]
    response = JsonResponse({"endpoints": listed})
    response["Access-Control-Allow-Origin"] = "*"
    response["Cache-Control"] = "no-cache"
    return response
