"""The revision graph of a history, as pure data, and what can be read off it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from providers.types import BASE, Heads
from sync.errors import UnknownRevisionError


class WayBack(StrEnum):
    """What a script says of the way back; read off its text, not run."""

    WRITTEN = "written"
    MISSING = "missing"  #: there is no such function
    EMPTY = "empty"  #: it does nothing, though ``upgrade()`` does
    RAISES = "raises"
    UNKNOWN = "unknown"  #: it cannot be told, or nobody has looked


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One revision file, as Alembic read it."""

    id: str
    parents: tuple[str, ...]  #: ``down_revision``; empty at base
    depends_on: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    message: str = ""
    file: str = ""  #: file name without folder
    digest: str = ""  #: sha256 of the file, hexadecimal
    downgrade: WayBack = WayBack.UNKNOWN


@dataclass(frozen=True, slots=True)
class Graph:
    """All revisions of a history, in an order in which they can be applied."""

    history: str
    revisions: Mapping[str, Revision]  #: in the order of application
    heads: Heads
    digest: str  #: changes with any script, env.py or alembic.ini
    locations: tuple[str, ...] = ()  #: absolute files and folders that the digest covers


def behind(graph: Graph, heads: Heads) -> tuple[str, ...]:
    """Return the revisions that a target at *heads* lacks, first one first.

    Revisions that the graph does not know are ignored.
    """
    if heads == graph.heads:  # all is below them; most targets are there, at most looks
        return ()
    applied = ancestors(graph, heads)
    return tuple(name for name in graph.revisions if name not in applied)


def ancestors(graph: Graph, heads: Heads) -> frozenset[str]:
    """Return *heads* and everything below them, as far as the graph knows them."""
    found: set[str] = set()
    waiting = [name for name in heads if name in graph.revisions]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            revision = graph.revisions[name]
            waiting.extend((*revision.parents, *revision.depends_on))
    return frozenset(found)


def named(graph: Graph, name: str) -> Heads:
    """Return the heads that *name* stands for: an id, its beginning, a label, head(s), base.

    Raises:
        UnknownRevisionError: It stands for none of the history's revisions, or for several.
    """
    if name in ("head", "heads"):
        return graph.heads
    if name == "base":
        return BASE
    exact = [each for each in graph.revisions.values() if name in (each.id, *each.labels)]
    found = exact or [each for each in graph.revisions.values() if each.id.startswith(name)]
    if len(found) != 1:
        which = ", ".join(sorted(each.id for each in found))
        problem = f"{name} is ambiguous: {which}" if found else f"there is no revision {name}"
        raise UnknownRevisionError(f"history {graph.history}: {problem}")
    return frozenset({found[0].id})


def several_heads(graph: Graph) -> str:
    """Say in one line that the history has several heads, which, and what to do."""
    names = ", ".join(sorted(graph.heads))
    return (
        f"history {graph.history}: has {len(graph.heads)} heads ({names}); "
        "merge them with alembic merge"
    )


def strangers(graph: Graph, heads: Heads) -> tuple[str, ...]:
    """Return those of *heads* that the graph does not know, sorted."""
    return tuple(sorted(name for name in heads if name not in graph.revisions))
