from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.errors import ChainBrokenError, ControlDatabaseError, LeaseLostError
from sync.events.chain import Draft
from sync.events.log import EventLog
from sync.model import EventQuery
from tests.support.control import a_draft


class Writers:
    """Writers that note which of them met in one transaction."""

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self.together: list[AsyncConnection] = []  #: what each was given, in order

    async def write(self, name: str) -> str:
        """Write one event in the name of *name*."""

        async def work(connection: AsyncConnection) -> tuple[str, Sequence[Draft]]:
            self.together.append(connection)
            await asyncio.sleep(0)
            return name, [a_draft(actor=name)]

        return await self.log.share(name, work)

    async def refuse(self, error: Exception) -> None:
        """Raise *error* in place of writing."""

        async def work(_: AsyncConnection) -> tuple[None, Sequence[Draft]]:
            raise error

        await self.log.share("refused", work)

    async def actors(self) -> list[str]:
        """Return who has written, in order."""
        return [event.actor for event in await self.log.page(EventQuery(limit=1000))]


@pytest.fixture
def writers(log: EventLog) -> Writers:
    """Give writers to the control database, one of each kind."""
    return Writers(log)


async def test_who_waits_shares_a_transaction(writers: Writers) -> None:
    """Writers who wait for one another are written together, each told its own."""
    names = [f"{number:03}" for number in range(100)]
    assert await asyncio.gather(*map(writers.write, names)) == names
    assert await writers.actors() == names
    assert len({id(connection) for connection in writers.together}) < len(names) / 10
    assert await writers.log.verify() == len(names)


async def test_targets_are_written_in_the_order_of_their_names(writers: Writers) -> None:
    """Whoever came first; but of one target in the order of arrival, each in its own turn."""
    names = ["b", "c", "a", "b"]
    await asyncio.gather(*map(writers.write, names))
    assert await writers.actors() == ["a", "b", "c", "b"]


async def test_a_refusal_concerns_nobody_else(writers: Writers) -> None:
    """Who raises before it has written learns so; what the others wrote is stored."""
    lost = LeaseLostError("orders-eu: gone")
    ends = await asyncio.gather(
        writers.write("a"), writers.refuse(lost), writers.write("b"), return_exceptions=True
    )
    assert list(ends) == ["a", lost, "b"]
    assert await writers.actors() == ["a", "b"]


async def test_a_failure_concerns_everybody(writers: Writers) -> None:
    """Where the database refuses one, nothing of the transaction is stored, and all learn so."""

    async def broken(connection: AsyncConnection) -> tuple[None, Sequence[Draft]]:
        await connection.execute(text("SELECT * FROM nowhere"))
        return None, ()

    ends = await asyncio.gather(
        writers.write("a"),
        writers.log.share("broken", broken),
        writers.write("b"),
        return_exceptions=True,
    )
    assert [type(end) for end in ends] == [ControlDatabaseError] * 3
    assert await writers.actors() == []
    assert await writers.write("c") == "c"


async def test_a_log_that_lost_its_end_concerns_everybody(writers: Writers) -> None:
    """Each of those who wait learns what is wrong, in an error of its own: none waits on."""
    async with writers.log.store.writing() as connection:
        await connection.execute(text("DELETE FROM chain_head"))
    async with asyncio.timeout(60):
        ends = await asyncio.gather(*map(writers.write, "ab"), return_exceptions=True)
    assert [type(end) for end in ends] == [ChainBrokenError] * 2
    assert [str(end) for end in ends] == [
        "audit log broken at event 1: where the log ends is not recorded"
    ] * 2
    assert ends[0] is not ends[1]


async def test_a_cancelled_writer_stops_nobody(writers: Writers) -> None:
    """What a writer has asked for is stored although it waits no longer; the others go on."""
    first, second = (asyncio.create_task(writers.write(name)) for name in "ab")
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "b"
    assert await writers.actors() == ["a", "b"]
