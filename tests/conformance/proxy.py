"""A proxy before a Postgres server that can lose the server's reply, or turn clients away."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.conformance.wire import Peer, asks_to_cancel, dial, listening, through

_STARTING = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"


class Proxy:
    """Passes all on until it is told to lose a reply, or to say that the server is starting."""

    def __init__(self, server: str, tls: ssl.SSLContext | None) -> None:
        self._server = server
        self._tls = tls
        self._marked: bytes | None = None
        self._cancels = True
        self.url = ""
        self.is_starting = False  #: turns every client away as such a server does

    def lose_reply(self, text: str) -> None:
        """Break the connection when the server has answered the next message with *text*."""
        self._marked = text.encode()

    def lose_cancels(self) -> None:
        """From now on, pass no request on to cancel a statement."""
        self._cancels = False

    async def serve(self, client: Peer) -> None:
        """Stand between one client and the server."""
        startup = await client.read_startup(self._tls)
        if asks_to_cancel(startup) and not self._cancels:
            return
        if self.is_starting:
            await client.write(b"E" + (len(_STARTING) + 4).to_bytes(4) + _STARTING)
            return
        server = await dial(self._server)
        losing = asyncio.Event()
        try:
            await server.write(startup)
            await self._relay(client, server, losing)
        finally:
            await server.close()

    async def _relay(self, client: Peer, server: Peer, losing: asyncio.Event) -> None:
        asking = asyncio.create_task(self._pass_questions(client, server, losing))
        answering = asyncio.create_task(self._pass_answers(server, client, losing))
        both = {asking, answering}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def _pass_questions(self, client: Peer, server: Peer, losing: asyncio.Event) -> None:
        while True:
            message = await client.read()
            if self._marked is not None and self._marked in message:
                self._marked = None
                losing.set()
            await server.write(message)

    async def _pass_answers(self, server: Peer, client: Peer, losing: asyncio.Event) -> None:
        while True:
            message = await server.read()
            if not losing.is_set():
                await client.write(message)
            elif message.startswith(b"Z"):
                return


@asynccontextmanager
async def proxy(server: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[Proxy]:
    """Run a proxy before the server of the URL *server*; with *tls* it speaks that to clients."""
    running = Proxy(server, tls)
    async with listening(running.serve) as port:
        running.url = through(server, port)
        yield running
