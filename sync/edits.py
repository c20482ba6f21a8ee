"""Applied revisions whose file is another one now: seen at every check, told once as an event.

It is the file that counts, by its digest: a changed comment is a change.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from providers.types import Target
from sync.events.chain import Draft
from sync.events.kinds import Kind
from sync.history import Graph
from sync.instruments import Instruments
from sync.model import TargetStatus
from sync.store import applied
from sync.store.histories import known_files


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A revision whose file is another one now than was applied to some targets."""

    history: str
    revision: str
    file: str  #: name without folder
    applied: str  #: sha256 of the file that was applied
    found: str  #: sha256 of the file on disk
    targets: tuple[str, ...]  #: that have the former; sorted

    def __str__(self) -> str:
        """Return what was found in one line."""
        return (
            f"revision {self.revision} was applied from another {self.file}: sha256 "
            f"{self.applied[:12]} then, {self.found[:12]} now"
        )


class Edits:
    """Compares what was applied with what is on disk."""

    def __init__(self, instruments: Instruments, targets: Mapping[str, Target]) -> None:
        self._instruments = instruments
        self._targets = targets

    async def of(self, histories: Iterable[str]) -> tuple[Edit, ...]:
        """Return the edits of *histories*; none of a history that cannot be loaded."""
        found: list[Edit] = []
        for history in sorted(set(histories)):
            if graph := await self._graph(history):
                async with self._instruments.store.reading() as connection:
                    found += await self._of(connection, graph)
        return tuple(found)

    async def note(self, histories: Iterable[str]) -> None:
        """Write an event for each edit that none tells of."""
        for history in sorted(set(histories)):
            if (graph := await self._graph(history)) and await self._has_news(graph):
                await self._tell(graph)

    async def _graph(self, history: str) -> Graph | None:
        return (await self._instruments.histories.knowledge(history)).graph

    async def _of(self, connection: AsyncConnection, graph: Graph) -> Sequence[Edit]:
        seen = await known_files(connection, graph.history)
        stale = [(name, file) for name, file in seen if is_stale(name, file, graph)]
        held = await applied.holders(connection, graph.history, stale) if stale else {}
        edits = (edit(graph, *file, self._followers(held[file], graph)) for file in sorted(held))
        return [edit for edit in edits if edit.targets]

    def _followers(self, names: Collection[str], graph: Graph) -> tuple[str, ...]:
        """Return those of *names* that are configured to follow the history of *graph*."""
        targets = (self._targets.get(name) for name in names)
        return tuple(t.name for t in targets if t and t.history == graph.history)

    async def _has_news(self, graph: Graph) -> bool:
        async with self._instruments.store.reading() as connection:
            found = await self._of(connection, graph)
            told = await applied.told(connection, graph.history)
        return {change(edit) for edit in found} != told

    async def _tell(self, graph: Graph) -> None:
        async with self._instruments.log.writing() as batch:
            found = await self._of(batch.connection, graph)
            told = await applied.told(batch.connection, graph.history)
            for gone in told - {change(edit) for edit in found}:
                await applied.untell(batch.connection, graph.history, gone)
            news = [
                draft(edit)
                for edit in found
                if await applied.tell(batch.connection, graph.history, change(edit))
            ]
            await batch.append(*news)


def is_stale(revision: str, file: str, graph: Graph) -> bool:
    """Tell whether *graph* has *revision* from another file."""
    known = graph.revisions.get(revision)
    return known is not None and known.digest != file


def edit(graph: Graph, revision: str, was: str, targets: tuple[str, ...]) -> Edit:
    """Return the edit of a revision that *targets* have from an older file."""
    found = graph.revisions[revision]
    return Edit(
        history=graph.history,
        revision=revision,
        file=found.file,
        applied=was,
        found=found.digest,
        targets=targets,
    )


def change(edit: Edit) -> tuple[str, str, str]:
    """Return what makes an edit news."""
    return (edit.revision, edit.applied, edit.found)


def draft(edit: Edit) -> Draft:
    """Return the event of an edit."""
    return Draft(
        kind=Kind.HISTORY_EDITED,
        actor="service",
        history=edit.history,
        revision=edit.revision,
        data={
            "file": edit.file,
            "applied": edit.applied,
            "found": edit.found,
            "targets": len(edit.targets),
            "message": str(edit),
        },
    )


def with_edits(status: TargetStatus, edits: Sequence[Edit]) -> TargetStatus:
    """Return *status* with the edits that concern its target."""
    ours = [edit for edit in edits if status.name in edit.targets]
    if not ours:
        return status
    problem = "; ".join(filter(None, (status.problem, told(status, ours))))
    return replace(status, problem=problem, edited=tuple(edit.revision for edit in ours))


def told(status: TargetStatus, edits: Sequence[Edit]) -> str:
    """Return in one line which applied files were edited, and what to do."""
    more = f", and {len(edits) - 1} more like it" if len(edits) > 1 else ""
    stamped = " ".join(sorted(status.heads or ()))
    accept = f", or accept it with levelhead stamp {status.name} {stamped}"
    return f"{edits[0]}{more}; restore the file" + (accept if len(status.heads or ()) == 1 else "")
