"""A caller of the REST interface, of the application in this process."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from asgiref.testing import ApplicationCommunicator

from config.asgi import application

TIMEOUT_S = 15.0


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def basic(customer_id: str, secret: str) -> dict[str, str]:
    """The header of a credential."""
    return {"authorization": "Basic " + base64.b64encode(f"{customer_id}:{secret}".encode()).decode()}


def path_of(*parts: str) -> str:
    """A path of these parts, escaped."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


async def request(
    method: str,
    target: str,
    *,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    raw: bytes | None = None,
    address: str = "127.0.0.1",
) -> Answer:
    """One request. `target`: the path and, after `?`, the query, both escaped. `raw`: a body that is no JSON.
    `address`: the caller's."""
    path, _, query = target.partition("?")
    content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
    sent = {"content-type": "application/json", "content-length": str(len(content)), **(headers or {})}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in sent.items()],
        "client": (address, 50_000),
        "server": ("127.0.0.1", 8_000),
    }
    communicator = ApplicationCommunicator(application, scope)
    await communicator.send_input({"type": "http.request", "body": content, "more_body": False})
    start = await communicator.receive_output(TIMEOUT_S)
    answered = b""
    while True:
        part = await communicator.receive_output(TIMEOUT_S)
        answered += part.get("body", b"")
        if not part.get("more_body", False):
            break
    await communicator.wait(TIMEOUT_S)
    named = {str(name, "latin-1").lower(): str(value, "latin-1") for name, value in start["headers"]}
    return Answer(start["status"], named, answered)


@dataclass(frozen=True)
class Api:
    """A project's own server, or a user of it: `headers` say which."""

    app: str
    headers: Mapping[str, str]

    async def vendor(self, method: str, rest: str, body: Any = None, **headers: str) -> Answer:
        return await request(
            method, f"/dev/v2/project/{self.app}/{rest}", body=body, headers={**self.headers, **_named(headers)}
        )

    async def v1(self, method: str, rest: str, body: Any = None, **headers: str) -> Answer:
        return await request(
            method, f"/api/v1/projects/{self.app}/{rest}", body=body, headers={**self.headers, **_named(headers)}
        )


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
