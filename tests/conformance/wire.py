"""As much of the Postgres protocol as it takes to stand between a client and a server."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

_SSL_REQUEST = 80877103
_CANCEL_REQUEST = 80877102


@dataclass(frozen=True, slots=True)
class Peer:
    """One end of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def read(self) -> bytes:
        """Return one typed message, its header included."""
        header = await self.reader.readexactly(5)
        return header + await self.reader.readexactly(struct.unpack("!i", header[1:])[0] - 4)

    async def read_startup(self, tls: ssl.SSLContext | None = None) -> bytes:
        """Return the message that a connection begins with; TLS begins where we have *tls*."""
        while True:
            header = await self.reader.readexactly(8)
            length, code = struct.unpack("!ii", header)
            if code != _SSL_REQUEST:
                return header + await self.reader.readexactly(length - 8)
            await self.write(b"S" if tls else b"N")
            if tls:
                await self.writer.start_tls(tls)

    async def write(self, message: bytes) -> None:
        """Send *message*."""
        self.writer.write(message)
        await self.writer.drain()

    async def close(self) -> None:
        """Close the connection, whatever state it is in."""
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()


Serve = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[int]:
    """Run *serve* for each client of a free loopback port; give the port."""
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_serve(serve, Peer(reader, writer)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def _serve(serve: Serve, client: Peer) -> None:
    try:
        with suppress(OSError, EOFError):  # either end may go at any time
            await serve(client)
    finally:
        await client.close()


def asks_to_cancel(startup: bytes) -> bool:
    """Tell whether a connection was opened only to cancel what another one runs."""
    return int.from_bytes(startup[4:8]) == _CANCEL_REQUEST


async def dial(url: str) -> Peer:
    """Connect to the server of *url*, without a word."""
    parts = urlsplit(url)
    return Peer(*await asyncio.open_connection(parts.hostname, parts.port or 5432))


def through(url: str, port: int) -> str:
    """Return *url* with loopback and *port* in place of its server."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{port}").geturl()
