"""Thrift over HTTP/1.1, as the client of a SQL warehouse speaks it."""

from __future__ import annotations

import logging
import re
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from databricks.sql.thrift_api.TCLIService import TCLIService
from thrift.protocol.TBinaryProtocol import TBinaryProtocolAccelerated
from thrift.Thrift import TApplicationException, TMessageType
from thrift.transport.TTransport import TMemoryBuffer

from providers.databricks.warehouse import oauth, rest
from providers.databricks.warehouse.faults import CutError, RefusedError
from providers.databricks.warehouse.operations import Operations
from providers.databricks.warehouse.statements import StatementLog

_log = logging.getLogger(__name__)
_PATH = re.compile(r"/sql/1\.0/(?:warehouses|endpoints)/([^/?]+)")
#: The generated code has no types.
_GENERATED: Any = TCLIService
#: Requests that may wait for being accepted: clients come in crowds.
_BACKLOG = 256
_REASON = "x-databricks-reason-phrase"
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Front:
    """What requests are checked against, and who answers them."""

    warehouse: str  #: the id in the HTTP path
    doorman: oauth.Doorman
    operations: Operations
    log: StatementLog


def thrift_answer(operations: Operations, body: bytes) -> bytes:
    """Return the reply to one Thrift message.

    Raises:
        RefusedError, CutError: A fault says so.
    """
    incoming = _protocol(TMemoryBuffer(body))
    name, _, sequence = incoming.readMessageBegin()
    arguments = getattr(_GENERATED, f"{name}_args", None)
    if arguments is None:
        return _unknown(name, sequence)
    request = arguments()
    request.read(incoming)
    try:
        response = operations.answer(name, request.req)
    except KeyError:
        return _unknown(name, sequence)
    result = getattr(_GENERATED, f"{name}_result")(success=response)
    return _message(name, TMessageType.REPLY, sequence, result)


def _unknown(name: str, sequence: int) -> bytes:
    error = TApplicationException(
        TApplicationException.UNKNOWN_METHOD, f"The local warehouse does not know {name}."
    )
    return _message(name, TMessageType.EXCEPTION, sequence, error)


def _message(name: str, kind: int, sequence: int, body: Any) -> bytes:  # noqa: ANN401 - generated code
    buffer = TMemoryBuffer()
    outgoing = _protocol(buffer)
    outgoing.writeMessageBegin(name, kind, sequence)
    body.write(outgoing)
    outgoing.writeMessageEnd()
    return bytes(buffer.getvalue())


def _protocol(buffer: TMemoryBuffer) -> TBinaryProtocolAccelerated:
    # The default limit would refuse results and statements beyond 16 MB.
    return TBinaryProtocolAccelerated(buffer, fallback=True, string_length_limit=None)


class HttpServer(ThreadingHTTPServer):
    """Takes connections, one thread each."""

    daemon_threads = False  # closing waits for them
    request_queue_size = _BACKLOG

    def __init__(self, port: int, front: Front, context: ssl.SSLContext | None) -> None:
        """Listen on loopback; *port* 0 takes a free one."""
        super().__init__(("127.0.0.1", port), _Request)
        self.front = front
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        if context:
            # The handshake waits for the connection's own thread.
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as the base class has it
        """Remember the connection, so that it can be closed with the server."""
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - as the base class has it
        """Close one connection."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as the base class has it
        """Say nothing about clients that went away."""
        del request
        _log.debug("connection from %s broke", client_address, exc_info=True)

    def close(self) -> None:
        """Stop listening, close all connections, and wait for their threads."""
        self.shutdown()
        with self._lock:
            still_open = list(self._open)
        for connection in still_open:
            with suppress(OSError):  # it may have ended meanwhile
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


class _Request(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    server: HttpServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for the client's delayed ACK
    wbufsize = -1  # headers and body leave together

    def do_POST(self) -> None:
        """Answer a Thrift message, or give a token."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == oauth.TOKEN:
            self._reply(_JSON, lambda: self._token(body))
        else:
            self._reply("application/x-thrift", lambda: self._thrift(body))

    def do_GET(self) -> None:
        """Answer a question of the REST API, or where tokens are given."""
        self._reply(_JSON, self._rest)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
        """Leave requests to the debug log."""
        _log.debug(format, *args)

    def _thrift(self, body: bytes) -> bytes:
        front = self.server.front
        asked = _PATH.fullmatch(self.path.split("?", 1)[0])
        if asked is None or asked.group(1) != front.warehouse:
            raise RefusedError(404, f"There is no warehouse at {self.path}.")
        front.doorman.check(self._authorization())
        front.operations.faults.admit()
        return thrift_answer(front.operations, body)

    def _rest(self) -> bytes:
        front = self.server.front
        if told := front.doorman.told(self.path, self._host()):
            return told
        front.doorman.check(self._authorization())
        return rest.answer(self.path, front.warehouse, front.log, front.operations.faults.state())

    def _token(self, body: bytes) -> bytes:
        return self.server.front.doorman.give(self._authorization(), body, self._host())

    def _host(self) -> str:
        """Return the address by which the client knows this server."""
        scheme = "https" if isinstance(self.connection, ssl.SSLSocket) else "http"
        return f"{scheme}://{self.headers.get('Host', '')}"

    def _authorization(self) -> str:
        return self.headers.get("Authorization", "")

    def _reply(self, content_type: str, answer: Any) -> None:  # noqa: ANN401 - a callable
        try:
            body = answer()
        except RefusedError as refused:
            told = {_REASON: refused.reason, "Retry-After": "1", "Content-Type": _JSON}
            self._send(refused.status, refused.body, told)
        except CutError:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self._send(200, body, {"Content-Type": content_type})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
