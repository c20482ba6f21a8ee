"""Which file of a revision was applied to which target, and which changes of files are events."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import delete, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.events.kinds import Kind
from sync.store.tables import applied, edits, events
from sync.store.text import parse_object
from sync.store.upsert import insert_if_absent, insert_or_replace

#: Revision and sha256 of its file.
File = tuple[str, str]


async def record(
    connection: AsyncConnection, target: str, history: str, files: Collection[File]
) -> None:
    """Keep that *files* were applied to *target*."""
    rows = [
        {"target": target, "revision": revision, "history": history, "script": script}
        for revision, script in files
    ]
    await insert_or_replace(connection, applied, rows)


async def forget(connection: AsyncConnection, target: str, revisions: Collection[str]) -> None:
    """Forget what was applied of *revisions*: they were taken back."""
    if revisions:
        taken_back = applied.c.revision.in_(revisions)
        await connection.execute(delete(applied).where(applied.c.target == target, taken_back))


async def forget_all(connection: AsyncConnection, target: str) -> None:
    """Forget every file: a person says where *target* stands, whatever was applied."""
    await connection.execute(delete(applied).where(applied.c.target == target))


async def pass_on(connection: AsyncConnection, former: str, target: str) -> None:
    """Keep of *target* what is kept of *former*, and nothing else."""
    await forget_all(connection, target)
    kept = select(literal(target), applied.c.revision, applied.c.history, applied.c.script).where(
        applied.c.target == former
    )
    await connection.execute(applied.insert().from_select(list(applied.c), kept))


async def of_target(connection: AsyncConnection, target: str) -> frozenset[str]:
    """Return the revisions of which a file is known."""
    found = await connection.scalars(select(applied.c.revision).where(applied.c.target == target))
    return frozenset(found)


async def holders(
    connection: AsyncConnection, history: str, files: Collection[File]
) -> Mapping[File, tuple[str, ...]]:
    """Return which targets have which of *files*; those that none has are not there."""
    found: dict[File, tuple[str, ...]] = {}
    query = (
        select(applied.c.revision, applied.c.script, applied.c.target)
        .where(applied.c.history == history)
        .where(tuple_(applied.c.revision, applied.c.script).in_(files))
        .order_by(applied.c.target)
    )
    for revision, script, target in await connection.execute(query):
        found[revision, script] = (*found.get((revision, script), ()), target)
    return found


async def begun(connection: AsyncConnection, run: str) -> dict[str, Any] | None:
    """Return what the event says with which a run began; None where it did not."""
    query = select(events.c.data).where(events.c.run == run, events.c.kind == Kind.RUN_STARTED)
    text = await connection.scalar(query)
    return parse_object(text) if text else None


async def told(connection: AsyncConnection, history: str) -> frozenset[tuple[str, str, str]]:
    """Return the changes of which an event tells: revision, file that was applied, file found."""
    query = select(edits.c.revision, edits.c.applied, edits.c.found)
    found = await connection.execute(query.where(edits.c.history == history))
    return frozenset((row.revision, row.applied, row.found) for row in found)


async def tell(connection: AsyncConnection, history: str, change: tuple[str, str, str]) -> bool:
    """Keep that an event tells of *change*; False where one does already."""
    values = dict(zip(("revision", "applied", "found"), change, strict=True))
    return await insert_if_absent(connection, edits, {"history": history, **values})


async def untell(connection: AsyncConnection, history: str, change: tuple[str, str, str]) -> None:
    """Forget a change that is none any more, so that it is news when it comes again."""
    revision, was, found = change
    await connection.execute(
        delete(edits).where(
            edits.c.history == history,
            edits.c.revision == revision,
            edits.c.applied == was,
            edits.c.found == found,
        )
    )
