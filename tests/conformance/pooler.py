"""Poolers: in transaction mode each transaction of a client gets the next server session."""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.conformance.wire import Peer, dial, listening, through

#: Query, Sync and Flush -> what ends the server's answer. asyncpg flushes after Describe only.
_ANSWERS = {b"Q": b"Z", b"S": b"Z", b"H": b"TnE"}
_READY_AND_IDLE = b"ZI"


class Pooler:
    """Shares *size* server sessions among all clients; they are made as clients sign on."""

    def __init__(self, server: str, size: int, tls: ssl.SSLContext | None) -> None:
        self._server = server
        self._tls = tls
        self._size = size
        self._free: asyncio.Queue[Peer] = asyncio.Queue()
        self._sessions: list[Peer] = []

    async def serve(self, client: Peer) -> None:
        """Serve one client: a server session for each of its transactions."""
        await self._sign_on(client)
        while (message := await client.read())[:1] != b"X":
            server = await self._free.get()
            try:
                await _transact(message, client, server)
            finally:
                self._free.put_nowait(server)

    async def _sign_on(self, client: Peer) -> None:
        startup = await client.read_startup(self._tls)
        server = await dial(self._server)
        await server.write(startup)
        await _authenticate(client, server)
        if len(self._sessions) >= self._size:
            await server.close()
            return
        self._sessions.append(server)
        self._free.put_nowait(server)

    async def aclose(self) -> None:
        """Close the server sessions."""
        for server in self._sessions:
            await server.close()


async def _authenticate(client: Peer, server: Peer) -> None:
    """Pass the sign-on through, but with a key of our own, as poolers do."""
    while True:
        message = await server.read()
        own_key = message[:5] + secrets.token_bytes(len(message) - 5)
        await client.write(own_key if message[:1] == b"K" else message)
        if message[:1] == b"Z":
            return
        if message[:1] == b"R" and _asks_for_more(message):
            await server.write(await client.read())


def _asks_for_more(message: bytes) -> bool:
    """Tell whether the client has to answer: all but AuthenticationOk and SASLFinal."""
    return int.from_bytes(message[5:9]) not in {0, 12}


async def _transact(message: bytes, client: Peer, server: Peer) -> None:
    """Pass messages on until the server session is in no transaction."""
    while True:
        await server.write(message)
        ends = _ANSWERS.get(message[:1])
        if ends is not None and await _answer(client, server, ends) == _READY_AND_IDLE:
            return
        message = await client.read()


async def _answer(client: Peer, server: Peer, ends: bytes) -> bytes:
    """Pass the server's answer on; return kind and first byte of its last message."""
    while True:
        message = await server.read()
        await client.write(message)
        if message[:1] in ends:
            return message[:1] + message[5:6]


@asynccontextmanager
async def session_pooler(server: str) -> AsyncIterator[str]:
    """Run a pooler in session mode: each client keeps its server session; give its URL."""

    async def serve(client: Peer) -> None:
        startup, own = await client.read_startup(), await dial(server)
        try:
            await own.write(startup)
            await _authenticate(client, own)
            while (message := await client.read())[:1] != b"X":
                await _transact(message, client, own)
        finally:
            await own.close()

    async with listening(serve) as port:
        yield through(server, port)


@asynccontextmanager
async def pooler(
    server: str, *, size: int, tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """Run a pooler before the server of the URL *server*; give its URL. See `proxy` for *tls*."""
    running = Pooler(server, size, tls)
    async with listening(running.serve) as port:
        try:
            yield through(server, port)
        finally:
            await running.aclose()
