"""Static files, served by the service itself; the browser SDK's bundles to pages of any origin."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from wsgiref.headers import Headers

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile
from whitenoise.storage import CompressedManifestStaticFilesStorage

SDK: Final = "rtm/"
DIST: Final = f"{SDK}dist/"
FOREVER: Final = "public, max-age=31536000, immutable"
"""A year: an address with a build in it never has other bytes."""


class StaticFilesMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]  # WhiteNoise has no types
    """WhiteNoise, answering with whole bodies.

    WhiteNoise hands out open files, which an ASGI server can only send by reading them in a thread, with a
    warning each time. Ours are small, and this middleware is in a thread already.

    The bundles have two addresses: `rtm/dist/` is asked for anew each time, `rtm/<version>-<build>/` never
    again. A server has one build, and does not know the addresses of others.
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response: HttpResponse = super().__call__(request)
        if request.path_info.startswith(self.static_prefix + SDK):
            response["Access-Control-Allow-Origin"] = "*"
            response["Cross-Origin-Resource-Policy"] = "cross-origin"
            if response.status_code == 404:
                response["Cache-Control"] = "no-cache"  # the next build may have it
        return response

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

    def add_file_to_dictionary(self, url: str, path: str, stat_cache: Any = None) -> None:
        """At the start, of each collected file."""
        super().add_file_to_dictionary(url, path, stat_cache)
        dist = self.static_prefix + DIST
        if url.startswith(dist):
            versioned = f"{self.static_prefix}{SDK}{_release(path)}/{url.removeprefix(dist)}"
            super().add_file_to_dictionary(versioned, path, stat_cache)

    def candidate_paths_for_url(self, url: str) -> Iterator[str]:
        """At each request while DEBUG is on."""
        package = finders.find(f"{DIST}package.json")
        if package is not None:
            url = url.replace(f"{self.static_prefix}{SDK}{_release(package)}/", self.static_prefix + DIST)
        found: Iterator[str] = super().candidate_paths_for_url(url)
        return found

    def add_cache_headers(self, headers: Headers, path: str, url: str) -> None:
        if Path(path).parent.name != "dist" or not url.startswith(self.static_prefix + SDK):
            super().add_cache_headers(headers, path, url)
            return
        headers["ETag"] = f'"{hashlib.sha256(Path(path).read_bytes()).hexdigest()[:32]}"'  # alike on all machines
        headers["Cache-Control"] = "no-cache" if url.startswith(self.static_prefix + DIST) else FOREVER


def _release(path: str) -> str:
    """Version and build of the bundle at `path`: those of the package it is in."""
    package = json.loads(Path(path).with_name("package.json").read_text())
    return f"{package['version']}-{package['build']}"


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
