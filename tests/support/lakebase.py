"""A workspace that mints credentials for a real Postgres, over https with its own authority.

It answers the requests that Databricks documents for Lakebase, provisioned and autoscaling. A
credential is the password of the role whose token asked: each mint sets a new one, with an end
that Postgres itself keeps. A real workspace lets older credentials live on; this one does not.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import asyncpg
import trustme

INSTANCE = "orders-db"
ENDPOINT = "projects/shop/branches/production/endpoints/primary"


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority, and what it has signed for this machine."""

    file: Path  #: its own certificate
    tls: ssl.SSLContext  #: for servers
    certificate: str = field(repr=False)  #: in PEM form, with the chain
    key: str = field(repr=False)


def authority(folder: Path, *names: str) -> Authority:
    """Return a new authority, whose certificate is written into *folder*; it signs for *names*."""
    issuer = trustme.CA()
    signed = issuer.issue_cert(*names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    signed.configure_cert(context)
    file = folder / "authority.pem"
    issuer.cert_pem.write_to_path(file)
    chain = b"".join(blob.bytes() for blob in signed.cert_chain_pems)
    return Authority(file, context, chain.decode(), signed.private_key_pem.bytes().decode())


@dataclass
class Workspace:
    """What a test says about the workspace, and what it sees of it."""

    admin_url: str  #: of a superuser, who sets passwords
    authority: Authority
    port: int = 0
    database_host: str = "localhost"
    identities: dict[str, str] = field(default_factory=dict)  #: token -> role
    life: timedelta = timedelta(hours=1)
    state: str = "AVAILABLE"
    refusals: list[tuple[int, str]] = field(default_factory=list)  #: for the next credentials
    odd_answers: list[bytes] = field(default_factory=list)  #: for the next requests, as they are
    pause: float = 0.0  #: seconds after each character of an answer
    minted: list[str] = field(default_factory=list, repr=False)  #: every credential, in order
    asked: list[str] = field(default_factory=list)  #: every path, in order

    @property
    def host(self) -> str:
        """Where its API is."""
        return f"localhost:{self.port}"

    def url(self, token: str, database: str, *, port: int, **options: str) -> str:
        """Return the URL of a target that is reached with *token*."""
        own = {"_tls_trusted_ca_file": str(self.authority.file), "port": str(port)}
        own |= {"sslrootcert": str(self.authority.file), **options}
        return f"lakebase://token:{token}@{self.host}/{database}?{urlencode(own)}"

    def answer(self, path: str, token: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is at *path*.

        Raises:
            _RefusedError: The token is wrong, there is nothing, or a test wants it so.
        """
        self.asked.append(path)
        role = self.identities.get(token)
        if role is None:
            raise _RefusedError(401, "UNAUTHENTICATED")
        if path == "/api/2.0/preview/scim/v2/Me":
            return {"userName": role}
        if path == f"/api/2.0/database/instances/{INSTANCE}":
            return {"name": INSTANCE, "state": self.state, "read_write_dns": self.database_host}
        if path == f"/api/2.0/postgres/{ENDPOINT}":
            hosts = {"host": self.database_host, "read_write_pooled_host": "a-pooler.invalid"}
            return {"name": ENDPOINT, "status": {"current_state": "ACTIVE", "hosts": hosts}}
        if path == "/api/2.0/database/credentials" and body.get("instance_names") == [INSTANCE]:
            return self._credential(role, "expiration_time")
        if path == "/api/2.0/postgres/credentials" and body.get("endpoint") == ENDPOINT:
            return self._credential(role, "expire_time")
        raise _RefusedError(404, "RESOURCE_DOES_NOT_EXIST")

    def _credential(self, role: str, end_name: str) -> dict[str, Any]:
        if self.refusals:
            raise _RefusedError(*self.refusals.pop(0))
        password, end = secrets.token_urlsafe(32), datetime.now(UTC) + self.life
        asyncio.run(self.let_in(role, password, end))
        self.minted.append(password)
        return {"token": password, end_name: end.isoformat().replace("+00:00", "Z")}

    async def let_in(self, role: str, password: str, end: datetime) -> None:
        """Have Postgres take *password* for *role*, until *end*."""
        connection = await asyncpg.connect(self.admin_url)
        try:
            await connection.execute(
                f"ALTER ROLE \"{role}\" PASSWORD '{password}' VALID UNTIL '{end.isoformat()}'"
            )
        finally:
            await connection.close()


class _RefusedError(Exception):
    def __init__(self, status: int, code: str) -> None:
        self.status = status
        self.code = code
        super().__init__(f"{status} {code}")


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    workspace: Workspace

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as the base class has it
        """Say nothing about clients that do not trust the certificate."""


class _Request(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._reply({})

    def do_POST(self) -> None:
        self._reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
        """Print nothing."""

    def _reply(self, body: Mapping[str, Any]) -> None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            status, said = 200, self.server.workspace.answer(self.path, token, body)
        except _RefusedError as refused:
            message = "secret words that belong in no log"
            status, said = refused.status, {"error_code": refused.code, "message": message}
        workspace = self.server.workspace
        payload = (
            workspace.odd_answers.pop(0) if workspace.odd_answers else json.dumps(said).encode()
        )
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        for part in [payload] if not workspace.pause else map(bytes, zip(payload, strict=False)):
            self.wfile.write(part)
            time.sleep(workspace.pause)


@contextmanager
def running_workspace(admin_url: str, trusted: Authority) -> Iterator[Workspace]:
    """Run a workspace, in threads of this process, before the server of *admin_url*."""
    server = _Server(("127.0.0.1", 0), _Request)
    server.workspace = Workspace(admin_url, trusted, server.server_address[1])
    server.socket = trusted.tls.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.workspace
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
