"""A gate before a SQL warehouse: it can refuse statements, and cut connections."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.conformance.wire import Peer, listening

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_REFUSAL = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n"
    b"x-databricks-reason-phrase: You may not read it.\r\n\r\n"
)


class Gate:
    """Passes all on, until it is told to refuse something or to cut."""

    def __init__(self, warehouse: int) -> None:
        self._warehouse = warehouse
        self._refused: bytes | None = None
        self._clients: set[Peer] = set()
        self.port = 0
        self.asked: list[bytes] = []  #: every request, in order

    def refuse(self, text: str) -> None:
        """From now on, answer 403 to what has *text* in it."""
        self._refused = text.encode()

    async def cut(self) -> None:
        """Break every connection that there is."""
        for client in tuple(self._clients):
            await client.close()

    async def serve(self, client: Peer) -> None:
        """Stand between one connection of a client and the warehouse."""
        server = Peer(*await asyncio.open_connection("127.0.0.1", self._warehouse))
        self._clients.add(client)
        try:
            await self._relay(client, server)
        finally:
            self._clients.discard(client)
            await server.close()

    async def _relay(self, client: Peer, server: Peer) -> None:
        while request := await _message(client):
            self.asked.append(request)
            if self._refused is not None and self._refused in request:
                await client.write(_REFUSAL)
                continue
            await server.write(request)
            await client.write(await _message(server))


@asynccontextmanager
async def gate(warehouse: int) -> AsyncIterator[Gate]:
    """Run a gate before the warehouse at port *warehouse* of loopback."""
    standing = Gate(warehouse)
    async with listening(standing.serve) as standing.port:
        yield standing


async def _message(peer: Peer) -> bytes:
    """Return one request or answer, its head included."""
    head = await peer.reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return head + await peer.reader.readexactly(int(length[1]) if length else 0)
