"""A TCP proxy before a Postgres server that can lose a message, or the answer to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum
from urllib.parse import urlsplit

#: As asyncpg sends it; BEGIN ... READ COMMITTED is another thing.
COMMIT = b"COMMIT;"


class Loss(Enum):
    """What the proxy does to the next message of a kind; the connection ends with it."""

    NOTHING = "nothing"
    COMMIT = "the server never hears of it"
    ANSWER = "the client never hears of it"


class Proxy:
    """Stands before one server; *loss* holds for one message that has *text* in it."""

    def __init__(self, server_url: str, text: bytes = COMMIT) -> None:
        self._text = text
        self._server = urlsplit(server_url)
        self._connections: set[asyncio.Task[None]] = set()
        self.loss = Loss.NOTHING
        self.port = 0

    @property
    def url(self) -> str:
        """The URL by which the server is reached through the proxy."""
        user = self._server.netloc.rpartition("@")[0]
        netloc = f"{user}@127.0.0.1:{self.port}"
        return self._server._replace(netloc=netloc, query="sslmode=disable").geturl()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Accept connections for the block, and none after it; each time at the same port."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for connection in self._connections:
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        behind = await asyncio.open_connection(self._server.hostname, self._server.port)
        try:
            await self._relay((reader, writer), behind)
        except* ConnectionError:
            pass  # one side is gone, and so goes the other
        finally:
            writer.close()
            behind[1].close()
            self._connections.discard(task)

    async def _relay(self, client: Stream, server: Stream) -> None:
        """Pass on bytes both ways until either side ends, or a message is lost."""
        async with asyncio.TaskGroup() as group:
            answers = group.create_task(self._answers(server[0], client[1]))
            while data := await client[0].read(65536):
                loss = self.loss if self._text in data else Loss.NOTHING
                if loss is not Loss.NOTHING:
                    self.loss = Loss.NOTHING
                    answers.cancel()
                    await asyncio.wait({answers})
                    await self._lose(loss, data, server)
                    return
                server[1].write(data)
            answers.cancel()

    async def _lose(self, loss: Loss, data: bytes, server: Stream) -> None:
        if loss is Loss.ANSWER:
            server[1].write(data)
            await server[0].read(65536)

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
