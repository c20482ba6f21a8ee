"""What became of acts that nobody saw the end of.

The version table is the truth about revisions: whoever holds the target's lock can read
off it which steps took effect. What stood outside a transaction the adapter is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from providers.base import Session
from providers.types import Heads, Outcome, Statement
from sync.history import Graph, ancestors
from sync.journal import Doubt, Journal


@dataclass(frozen=True, slots=True)
class Settlement:
    """What was found out about everything in doubt on one target."""

    heads: Heads
    reached: frozenset[str]  #: ids of runs in doubt that turned out to have reached their end
    unknown: tuple[Doubt, ...]  #: what nobody can tell; innermost act first
    running: tuple[Doubt, ...] = ()  #: what goes on at the target, and the steps around it

    @property
    def left(self) -> tuple[Doubt, ...]:
        """What is in doubt still."""
        return (*self.unknown, *self.running)


async def settle(session: Session, journal: Journal, graph: Graph) -> Settlement:
    """Resolve what earlier runs left in doubt on the target; each resolution is an event.

    The caller holds the target's lock, so that nothing of it is still going on.
    """
    heads = await session.heads()
    reached: set[str] = set()
    left: dict[Outcome, list[Doubt]] = {Outcome.UNKNOWN: [], Outcome.RUNNING: []}
    for doubt in reversed(await journal.doubts()):  # inner acts before those around them
        outcome = await verdict(doubt, session, heads, graph)
        outcome = next((each for each in left if is_around(doubt, left[each])), outcome)
        await journal.resolve(doubt, outcome)
        if outcome in left:
            left[outcome].append(doubt)
        elif outcome is Outcome.APPLIED and doubt.noun == "run":
            reached.add(doubt.run)
    return Settlement(heads, frozenset(reached), *map(tuple, left.values()))


async def settle_by_stamp(
    journal: Journal, graph: Graph, heads: Heads, left: Sequence[Doubt]
) -> None:
    """Resolve what nobody could tell: by stamping *heads*, a person has told."""
    for doubt in left:
        outcome = Outcome.APPLIED if took_effect(doubt, heads, graph) else Outcome.ABSENT
        await journal.resolve(doubt, outcome)


def is_around(step: Doubt, left: Sequence[Doubt]) -> bool:
    """Tell whether *step* is one, and a part of it is among what is *left* in doubt."""
    inner = {(doubt.run, doubt.revision) for doubt in left}
    return step.noun == "step" and (step.run, step.revision) in inner


async def verdict(doubt: Doubt, session: Session, heads: Heads, graph: Graph) -> Outcome:
    """Tell what became of one act."""
    if took_effect(doubt, heads, graph):
        return Outcome.APPLIED
    if doubt.noun == "statement":
        statement = Statement(doubt.sqls[-1], transactional=False)
        return await session.resolve(statement, ticket=doubt.ticket)
    if doubt.noun == "transaction" and not doubt.facts["stamped"]:
        return Outcome.UNKNOWN  # it ends in the middle of a revision: the version table is silent
    return Outcome.ABSENT


def took_effect(doubt: Doubt, heads: Heads, graph: Graph) -> bool:
    """Tell whether the revisions in *heads* show the effect of *doubt*."""
    after: Heads = frozenset(cast("list[str]", doubt.facts["after"]))
    if doubt.revision is None:
        return heads == after
    is_applied = doubt.revision in ancestors(graph, heads)
    shall_be_applied = doubt.revision in ancestors(graph, after)
    return is_applied == shall_be_applied
