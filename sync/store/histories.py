"""The graph of each history as it was last seen, and every revision that was ever seen."""

from __future__ import annotations

import json
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.history import Graph, Revision, WayBack
from sync.store.tables import graphs, revisions
from sync.store.text import canonical
from sync.store.upsert import insert_absent, insert_or_replace

_KNOWN = select(revisions.c.revision).where(revisions.c.history == bindparam("of")).distinct()


async def save_graph(connection: AsyncConnection, graph: Graph, *, now: datetime) -> None:
    """Store *graph* as the last one seen; revisions and files new to us were first seen *now*."""
    row = {"history": graph.history, "graph": _graph_to_text(graph)}
    await insert_or_replace(connection, graphs, [row])
    seen = [
        {
            "history": graph.history,
            "revision": revision.id,
            "digest": revision.digest,
            "first_seen": now,
        }
        for revision in graph.revisions.values()
    ]
    await insert_absent(connection, revisions, seen)


async def load_graph(connection: AsyncConnection, history: str) -> Graph | None:
    """Return the graph that was last seen; None where there was none."""
    text: str | None = await connection.scalar(
        select(graphs.c.graph).where(graphs.c.history == history)
    )
    return None if text is None else _graph_from_text(history, text)


async def known_revisions(connection: AsyncConnection, history: str) -> frozenset[str]:
    """Return every revision that was ever seen in *history*, on disk now or not."""
    return frozenset(await connection.scalars(_KNOWN, {"of": history}))


async def known_files(connection: AsyncConnection, history: str) -> frozenset[tuple[str, str]]:
    """Return revision and sha256 of every file that was ever seen in *history*."""
    query = select(revisions.c.revision, revisions.c.digest)
    found = await connection.execute(query.where(revisions.c.history == history))
    return frozenset((row.revision, row.digest) for row in found)


def _graph_to_text(graph: Graph) -> str:
    return canonical(
        {
            "revisions": [_revision_fields(each) for each in graph.revisions.values()],
            "heads": sorted(graph.heads),
            "digest": graph.digest,
            "locations": graph.locations,
        }
    )


def _revision_fields(revision: Revision) -> dict[str, str | tuple[str, ...]]:
    return {name: getattr(revision, name) for name in Revision.__slots__}


def _graph_from_text(history: str, text: str) -> Graph:
    fields = json.loads(text)
    found = [_revision(each) for each in fields["revisions"]]
    return Graph(
        history=history,
        revisions={each.id: each for each in found},
        heads=frozenset(fields["heads"]),
        digest=fields["digest"],
        locations=tuple(fields["locations"]),
    )


def _revision(fields: dict[str, str | list[str]]) -> Revision:
    """Build a revision; JSON has no tuples."""
    values = {
        name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()
    }
    values["downgrade"] = WayBack(values["downgrade"])  # type: ignore[arg-type]  # a text
    return Revision(**values)  # type: ignore[arg-type]  # the text is our own
