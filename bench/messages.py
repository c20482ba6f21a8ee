"""What a session of levelhead sends to a database, overheard at the driver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that was sent, as it was sent."""

    text: str
    values: tuple[Any, ...]  #: empty: a text of its own; else it is prepared and bound


@contextmanager
def overheard(database: str) -> Iterator[list[Message]]:
    """Take down what asyncpg sends to *database* in the block, in order."""
    heard: list[Message] = []
    dial = asyncpg.connect

    async def listening(*place: Any, **options: Any) -> asyncpg.Connection:  # noqa: ANN401 - as asyncpg's own
        connection = await dial(*place, **options)
        if place and str(place[0]).endswith(f"/{database}"):
            connection.add_query_logger(lambda sent: heard.append(Message(sent.query, sent.args)))
        return connection

    asyncpg.connect = listening
    try:
        yield heard
    finally:
        asyncpg.connect = dial


async def send_again(url: str, messages: list[Message]) -> None:
    """Connect, send the same messages one after the other, and close."""
    connection = await asyncpg.connect(url, statement_cache_size=0)
    try:
        for message in messages:
            await _send(connection, message)
    finally:
        await connection.close()


async def _send(connection: asyncpg.Connection, message: Message) -> None:
    if message.values:
        await connection.fetch(message.text, *message.values)
    else:
        await connection.execute(message.text)
