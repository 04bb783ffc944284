"""A project's own server: real HTTP on 127.0.0.1, in threads, that does what the test says with each delivery."""

import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, NamedTuple

WAIT_S: Final = 30.0

CLOSE: Final = "close"
"""Closes the connection without an answer."""
HANG: Final = "hang"
"""Answers when it is released."""
DRIP: Final = "drip"
"""Sends the beginning of an answer, and the rest when it is released."""
FLOOD: Final = "flood"
"""Answers 200 with a body without an end."""


class Delivered(NamedTuple):
    headers: dict[str, str]
    body: bytes
    path: str

    @property
    def event_id(self) -> str:
        return self.headers["X-Rostrum-Event-Id"]

    @property
    def payload(self) -> dict[str, Any]:
        payload: dict[str, Any] = json.loads(self.body)
        return payload


class Receiver:
    """`script`: what becomes of the next deliveries, a status or one of the words above; then each is answered 204."""

    def __init__(self) -> None:
        self.script: deque[int | str] = deque()
        self.received: list[Delivered] = []
        self.headers: dict[str, str] = {}
        """Sent with each answer."""
        self._lock = threading.Lock()
        self._arrived = threading.Semaphore(0)
        self._released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook?from=rostrum"

    def release(self) -> None:
        """Lets those answer that hang."""
        self._released.set()

    def wait_for_arrival(self, within_s: float = WAIT_S) -> None:
        """Blocks until a delivery has come that no earlier call was told of."""
        assert self._arrived.acquire(timeout=within_s), "nothing was delivered"

    def take(self) -> list[Delivered]:
        """What was received since the last call."""
        with self._lock:
            taken, self.received = self.received, []
        return taken

    def events(self) -> list[str]:
        """The names of what was received since the last call, in order."""
        return [delivered.payload["event"] for delivered in self.take()]

    def close(self) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(WAIT_S)

    def _next(self, delivered: Delivered) -> int | str:
        with self._lock:
            self.received.append(delivered)
            step = self.script.popleft() if self.script else 204
        self._arrived.release()
        return step

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                step = receiver._next(Delivered(dict(self.headers.items()), body, self.path))
                self.close_connection = True
                try:
                    self._answer(step)
                except OSError:
                    return  # the sender did not wait

            def _answer(self, step: int | str) -> None:
                if step == CLOSE:
                    return
                if step == DRIP:
                    self.wfile.write(b"HTTP/1.1 20")
                if step in (HANG, DRIP):
                    receiver._released.wait(WAIT_S)
                self.send_response(step if isinstance(step, int) else 200)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                while step == FLOOD:
                    self.wfile.write(b"x" * 4096)

            def log_message(self, *args: Any) -> None:
                """Says nothing."""

        return Handler


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    try:
        yield receiver
    finally:
        receiver.close()
