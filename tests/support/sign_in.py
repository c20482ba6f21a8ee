"""A workspace that tells where tokens are given, and gives what a test says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from providers.databricks.warehouse.oauth import Doorman

#: What a good answer is.
GIVEN = b'{"access_token": "token-1", "token_type": "Bearer", "expires_in": 3600}'


@dataclass
class Giver:
    """What is answered to whoever wants a token, and who has asked."""

    port: int = 0
    status: int = 200
    body: bytes = GIVEN
    kind: str = "application/json"
    let_go: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)  #: what came with each request, in order

    def __post_init__(self) -> None:
        self.let_go.set()

    @property
    def origin(self) -> str:
        """The workspace."""
        return f"http://127.0.0.1:{self.port}"

    def says(self, status: int, body: bytes, kind: str = "application/json") -> None:
        """Answer so from now on."""
        self.status, self.body, self.kind = status, body, kind


class _Server(ThreadingHTTPServer):
    giver: Giver

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing about clients that wait no longer."""


class _Request(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        told = Doorman.told(self.path, self.server.giver.origin)
        self._reply(404 if told is None else 200, told or b"{}", "application/json")

    def do_POST(self) -> None:
        giver = self.server.giver
        self.rfile.read(int(self.headers["Content-Length"]))
        giver.asked.append(self.headers.get("Authorization", ""))
        giver.let_go.wait()
        self._reply(giver.status, giver.body, giver.kind)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
        """Print nothing."""

    def _reply(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def running_giver() -> Iterator[Giver]:
    """Run one in threads of this process; who still waits for an answer gets it at the end."""
    server = _Server(("127.0.0.1", 0), _Request)
    server.giver = Giver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.giver
    finally:
        server.giver.let_go.set()
        server.shutdown()
        thread.join()
        server.server_close()
