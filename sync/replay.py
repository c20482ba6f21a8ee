"""Replays steps whose statements are known, over the service's own session on the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from providers.base import Fingerprinting, Session, Transactional
from providers.errors import LevelheadError
from providers.types import Statement
from sync.events.chain import JSON
from sync.journal import Journal
from sync.plan.canonical import plain
from sync.plan.conversation import Sent
from sync.plan.model import Block, Step, StepClass
from sync.store.statements import digest_of


async def is_replayed(step: Step, session: Session, journal: Journal) -> bool:
    """Tell whether *step* can be replayed on this target; else its script must run there."""
    if step.kind is StepClass.CATALOG and not await fits(step, session):
        return False
    if is_whole(step, session):
        return True
    return rest(step.blocks, await journal.applied(step.revision, step.after)) is not None


async def fits(step: Step, session: Session) -> bool:
    """Tell whether the target's schema is what the step's script has seen on the shadow."""
    if step.fingerprint is None or not isinstance(session, Fingerprinting):
        return False
    return await session.fingerprint() == step.fingerprint


def is_whole(step: Step, session: Session) -> bool:
    """Tell whether the whole step is one transaction, stamp included."""
    return step.atomic and isinstance(session, Transactional)


async def replay(step: Step, session: Session, journal: Journal) -> None:
    """Send what *step* consists of, and stamp it.

    Raises:
        StampConflictError: The target was not where the step begins; nothing was done.
        StatementError: The database refused a statement; the error names it.
        ConnectionLostError: Nobody knows what became of the last thing sent.
    """
    for skip in step.skips:
        await journal.skipped(step.revision, {"directive": skip.directive, "detail": skip.detail})
    if isinstance(session, Transactional) and step.atomic:
        await apply_atomically(step, session, journal)
    else:
        await apply_resumably(step, session, journal)


async def apply_atomically(step: Step, session: Transactional, journal: Journal) -> None:
    """Send the whole step in one transaction; the intent of the run covers it."""
    sqls = step.blocks[0].statements if step.blocks else ()
    try:
        await session.apply(told(sqls), before=step.before, after=step.after)
    except LevelheadError as error:
        await journal.tell_failure(step.revision, error)
        raise
    await journal.tell_success(step.revision, statements=[digest_of(sql) for sql in sqls])


async def apply_resumably(step: Step, session: Session, journal: Journal) -> None:
    """Send the step piece by piece, each under an intent of its own, from where it stopped last."""
    facts = plain(step)
    del facts["revision"]
    async with journal.action("step", revision=step.revision, **facts):
        blocks = rest(step.blocks, await journal.applied(step.revision, step.after)) or ()
        for block in blocks:
            await send(block, step, session, journal)
        before, after = sorted(step.before), sorted(step.after)
        async with journal.action("stamp", revision=step.revision, before=before, after=after):
            await session.stamp(before=step.before, after=step.after)


async def send(block: Block, step: Step, session: Session, journal: Journal) -> None:
    """Send one block: as a transaction where it is one and there are any, else one by one."""
    facts: dict[str, JSON] = {
        "before": sorted(step.before),
        "after": sorted(step.after),
        "stamped": False,
    }
    if block.transactional and isinstance(session, Transactional):
        async with journal.action(
            "transaction", revision=step.revision, sqls=block.statements, **facts
        ):
            await session.apply(told(block.statements), before=step.before, after=step.before)
        return
    for sql in block.statements:
        async with journal.action(
            "statement", revision=step.revision, sqls=(sql,), **facts
        ) as action:
            statement = Statement(sql, transactional=block.transactional)
            await session.execute(statement, ticket=action.ticket)


def told(sqls: Sequence[str]) -> tuple[Statement, ...]:
    """Return texts as a provider takes them."""
    return tuple(Statement(sql) for sql in sqls)


def rest(blocks: Sequence[Block], applied: Sequence[Sent]) -> tuple[Block, ...] | None:
    """Return what is left of *blocks* behind the statements that stand already.

    None where those are not how the blocks begin: another text was sent, or a script did it.
    """
    left: list[Block] = []
    standing = list(applied)
    for block in blocks:
        count = min(len(block.statements), len(standing))
        ahead, standing = standing[:count], standing[count:]
        if ahead != [(digest_of(sql), None) for sql in block.statements[:count]]:
            return None
        if remaining := block.statements[count:]:
            left.append(replace(block, statements=remaining))
    return None if standing else tuple(left)
