"""Replays steps whose statements are known, over the service's own session on the target."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial

from providers.base import Fingerprinting, Repairing, Session, Transactional
from providers.errors import (
    ConnectionLostError,
    LevelheadError,
    OvertakenError,
    ProviderError,
    StampConflictError,
    StatementError,
)
from providers.types import Heads, Statement
from sync.events.chain import JSON
from sync.journal import Journal
from sync.plan.canonical import plain
from sync.plan.model import Block, Step, StepClass
from sync.resume import rest
from sync.retries import Retries
from sync.store.statements import digest_of

#: Characters of a statement that an error keeps.
LONGEST = 60


async def is_replayed(step: Step, session: Session, journal: Journal) -> bool:
    """Tell whether *step* can be replayed on this target; else its script must run there.

    The schema is compared before a step begins; in the middle of it, what stands of it is.
    """
    if not is_whole(step, session):
        standing = await journal.applied(step.revision, step.after)
        if standing:
            return rest(step.blocks, standing) is not None
    return step.kind is not StepClass.CATALOG or await fits(step, session)


async def fits(step: Step, session: Session) -> bool:
    """Tell whether the target's schema is what the step's script has seen on the shadow."""
    if step.fingerprint is None or not isinstance(session, Fingerprinting):
        return False
    return await session.fingerprint() == step.fingerprint


def is_whole(step: Step, session: Session) -> bool:
    """Tell whether the whole step is one transaction, stamp included."""
    return step.atomic and isinstance(session, Transactional)


async def replay(step: Step, session: Session, journal: Journal, retries: Retries) -> None:
    """Send what *step* consists of, and stamp it.

    Raises:
        StampConflictError: The target was not where the step begins; nothing was done.
        ContentionError: Another session was in the way, again and again.
        StatementError: The database refused a statement; the error names it.
        ConnectionLostError: Nobody knows what became of the last thing sent.
    """
    for skip in step.skips:
        await journal.remark("skipped", step.revision, asdict(skip))
    for note in step.notes:
        await journal.remark("noted", step.revision, asdict(note))
    if isinstance(session, Transactional) and step.atomic:
        await apply_atomically(step, session, journal, retries)
    else:
        await apply_resumably(step, session, journal, retries)


async def apply_atomically(
    step: Step, session: Transactional, journal: Journal, retries: Retries
) -> None:
    """Send the whole step in one transaction; the intent of the run covers it."""
    sqls = step.blocks[0].statements if step.blocks else ()
    act = partial(apply, sqls, step, session, after=step.after)
    try:
        await retries.insist(act, partial(journal.tell_retry, step.revision))
    except LevelheadError as error:
        await journal.tell_failure(step.revision, error)
        raise
    await journal.tell_success(step.revision, statements=[digest_of(sql) for sql in sqls])


async def apply(sqls: Sequence[str], step: Step, session: Transactional, *, after: Heads) -> None:
    """Send statements of *step* in one transaction."""
    statements = tuple(Statement(sql) for sql in sqls)
    with located(step):
        await session.apply(statements, before=step.before, after=after)


async def apply_resumably(step: Step, session: Session, journal: Journal, retries: Retries) -> None:
    """Send the step piece by piece, each under an intent of its own, from where it stopped last.

    Where it ends in a transaction, that one moves the version table too, as under Alembic.
    """
    facts = plain(step)
    del facts["revision"]
    tell = partial(journal.tell_retry, step.revision)
    async with journal.action("step", revision=step.revision, **facts):
        left = rest(step.blocks, await journal.applied(step.revision, step.after)) or ()
        for place, block in enumerate(left, start=1):
            if not block.transactional or not isinstance(session, Transactional):
                await send(block, step, session, journal, retries)
                continue
            after = step.after if place == len(left) else step.before
            act = partial(commit, block, step, session, journal, after=after)
            await retries.insist(act, tell)
            if after == step.after:
                return
        await retries.insist(partial(stamp, step, session, journal), tell)


async def commit(
    block: Block, step: Step, session: Transactional, journal: Journal, *, after: Heads
) -> None:
    """Send one block as a transaction, and move the version table to *after* with it."""
    facts = {**facts_of(step), "stamped": after == step.after}
    sqls = block.statements
    async with journal.action("transaction", revision=step.revision, sqls=sqls, **facts):
        await apply(sqls, step, session, after=after)


async def send(
    block: Block, step: Step, session: Session, journal: Journal, retries: Retries
) -> None:
    """Send the statements of one block one by one: each commits alone.

    None is sent again where another session was in its way: it may have left something behind.
    But where the commit of another writer came first nothing did, and it is, after a look.
    """
    for sql in block.statements:
        statement = Statement(sql, transactional=block.transactional)
        await retries.insist(
            partial(send_one, statement, step, session, journal),
            partial(journal.tell_retry, step.revision),
            look=partial(require_unmoved, step, session, journal),
            only=OvertakenError,
        )


async def send_one(statement: Statement, step: Step, session: Session, journal: Journal) -> None:
    """Send a statement under an intent of its own."""
    async with journal.action(
        "statement", revision=step.revision, sqls=(statement.sql,), **facts_of(step)
    ) as action:
        with located(step):
            await session.execute(statement, ticket=action.ticket)


async def require_unmoved(step: Step, session: Session, journal: Journal) -> None:
    """Require the version table to stand where *step* begins.

    Raises:
        StampConflictError: Whoever came first has migrated the target.
    """
    found = await session.heads()
    if found != step.before:
        raise StampConflictError(target=journal.target, expected=step.before, found=found)


async def stamp(step: Step, session: Session, journal: Journal) -> None:
    """Move the version table as *step* does."""
    before, after = sorted(step.before), sorted(step.after)
    async with journal.action("stamp", revision=step.revision, before=before, after=after):
        with located(step):
            await session.stamp(before=step.before, after=step.after)


async def repair(step: Step, session: Session, journal: Journal) -> None:
    """Take away what statements of *step* have left behind that were tried before, in vain."""
    for sql, statement in await remains(step, session, journal):
        async with journal.action(
            "statement",
            revision=step.revision,
            sqls=(statement.sql,),
            repairs=digest_of(sql),
            **facts_of(step),
        ) as action:
            await session.execute(statement, ticket=action.ticket)


async def remains(
    step: Step, session: Session, journal: Journal
) -> tuple[tuple[str, Statement], ...]:
    """Return what is to be repaired before *step*: the text that failed, and the repair."""
    if not isinstance(session, Repairing) or is_replayed_whole(step, session):
        return ()
    found: list[tuple[str, Statement]] = []
    for sql in await journal.tried(step.revision, step.after):
        left = await session.remains(Statement(sql, transactional=False))
        found += ((sql, statement) for statement in left)
    return tuple(found)


def is_replayed_whole(step: Step, session: Session) -> bool:
    """Tell whether *step* is one transaction for certain, which leaves nothing behind."""
    return step.kind is StepClass.STATIC and is_whole(step, session)


def facts_of(step: Step) -> dict[str, JSON]:
    """Return what the intent of a part of *step* says, so that its doubt can be settled."""
    return {"before": sorted(step.before), "after": sorted(step.after), "stamped": False}


@contextmanager
def located(step: Step) -> Iterator[None]:
    """Have the error of a statement say which one of *step* it was, or what to do next."""
    try:
        yield
    except StatementError as error:
        error.args = (f"{error.target}: {place_of(error.sql, step)}: {said_by(error)}",)
        raise
    except ConnectionLostError as error:
        what = f"{said_by(error)}; sync again: that looks at how far this run came"
        error.args = (f"{error.target}: revision {step.revision}: {what}",)
        raise


def said_by(error: ProviderError) -> str:
    """Return what *error* says, without the name of the target."""
    return str(error).removeprefix(f"{error.target}: ")


def place_of(sql: str | None, step: Step) -> str:
    """Name a statement of *step* by its number and first words; None: it is not known which."""
    sqls = [each for block in step.blocks for each in block.statements]
    if sql not in sqls:
        return f"revision {step.revision}"
    number = sqls.index(sql) + 1
    return f"revision {step.revision}, statement {number} of {len(sqls)} ({beginning(sql)})"


def beginning(sql: str) -> str:
    """Return the first words of a statement: no comment, no value."""
    bare = re.sub(r"--[^\n]*|/\*.*?\*/", " ", sql, flags=re.DOTALL)
    words = " ".join(re.split(r"['$(]", bare, maxsplit=1)[0].split())
    return words if len(words) <= LONGEST else f"{words[:LONGEST].rstrip()}..."
