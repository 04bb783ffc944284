from django.http import HttpRequest, JsonResponse

from realtime.openrpc import build_openrpc


def openrpc(request: HttpRequest) -> JsonResponse:
    """The protocol's machine-readable description; public, readable from any origin."""
    response = JsonResponse(build_openrpc())
    response["Access-Control-Allow-Origin"] = "*"
    return response
