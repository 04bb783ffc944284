"""Static files, served by the service itself."""

from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile
from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFilesMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]  # WhiteNoise has no types
    """WhiteNoise, answering with whole bodies.

    WhiteNoise hands out open files, which an ASGI server can only send by reading them in a thread, with a
    warning each time. Ours are small, and this middleware is in a thread already.
    """

    @staticmethod
    def serve(static_file: StaticFile, request: HttpRequest) -> HttpResponse:
        found = static_file.get_response(request.method, request.META)
        body = b""
        if found.file is not None:
            with found.file:
                body = found.file.read()
        response = HttpResponse(body, status=int(found.status))
        del response["content-type"]  # Django's default; the file's own, if it has one, follows
        for name, value in found.headers:
            response[name] = value
        return response


_JS_GLOB, _JS_PATTERNS = CompressedManifestStaticFilesStorage._js_module_import_aggregation_patterns


class ManifestStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Names with a hash of the content, also inside the `import` lines of ES modules."""

    support_js_module_import_aggregation = True
    max_post_process_passes = 20  # one for each level of modules that import modules
    # `import("...")` only names types, in comments: modules may do so of each other, and a hash that depends on itself
    # is never found.
    _js_module_import_aggregation_patterns = (
        _JS_GLOB,
        tuple(pattern for pattern in _JS_PATTERNS if "import\\(" not in pattern[0]),
    )
