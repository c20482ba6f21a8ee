"""Makes a plan of two recordings of one path: judges each step, and settles its statements."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import groupby

from providers.types import Heads, Target
from sync.plan.canonical import plan_of, text_of
from sync.plan.continuity import in_one_session
from sync.plan.model import Block, Plan, Step, StepClass
from sync.plan.reads import Looks, Reading, controls_transaction, is_nesting, reading
from sync.plan.recording import Recording, Sent, SentBlock, Taken
from sync.scrub import HIDDEN

#: Reasons that a step keeps: the first ones say enough.
MOST = 5

#: How statements begin that set up a session, and those that make what may be there already.
SETTING = ("set ", "use ")
MAKING = ("create schema", "create extension")

UNEQUAL = "comes out different when it is compiled again"


def assembled(target: Target, before: Heads, one: Recording, other: Recording) -> Plan:
    """Return the plan of a path that was recorded twice, on two shadows and by two clocks."""
    whole, once = tuple(of_env(one)), tuple(ahead_of_all(one))
    shorter = min(one, other, key=lambda recording: len(recording.steps))
    steps = [
        judged(step, one.steps[place], other.steps[place], target, whole if place else whole + once)
        if place < len(shorter.steps)
        else uncompiled(step, shorter)
        for place, step in enumerate(one.path)
    ]
    return plan_of(
        target.history,
        target.dialect,
        before,
        in_one_session(steps, one.steps, target.dialect),
        prologue=() if whole else prologue(one),
        sources=digest(one.sources),
    )


def uncompiled(step: Step, recording: Recording) -> Step:
    """Return a step that the shadow could not show: its script failed there, or one ahead."""
    failed = recording.path[len(recording.steps)]
    why = (f"{failed.revision} reads what the shadow does not have",)
    known = recording.failed.known if recording.failed and step == failed else ()
    return replace(step, why=why, known=known)


def of_env(recording: Recording) -> Iterator[str]:
    """Yield why no step at all can be replayed: env.py has a part in what happens."""
    for taken in (recording.ahead, recording.behind):
        yield from taken.reasons
    for sql in (*changes(recording.ahead), *changes(recording.behind)):
        if not is_prologue(sql):
            yield f"env.py sends SQL of its own: {beginning(sql)}"


def ahead_of_all(recording: Recording) -> Iterator[str]:
    """Yield why the first step is live: hook and env.py run with its script, ahead of the rest.

    On connections of their own they may do to the target whatever they find necessary.
    """
    for sql in recording.aside:
        if not is_prologue(sql):
            yield f"hook or env.py changes something first: {beginning(sql)}"


def prologue(recording: Recording) -> tuple[str, ...]:
    """Return what env.py sends ahead of the scripts, and may send again and again."""
    return tuple(filter(is_prologue, (*recording.aside, *changes(recording.ahead))))


def changes(taken: Taken) -> Iterator[str]:
    """Yield the statements whose result nobody looked at."""
    return (sent.sql for sent in taken.statements() if not sent.read)


def is_prologue(sql: str) -> bool:
    """Tell whether a statement sets up the session, or does nothing when it comes again."""
    words = " ".join(sql.lower().split())
    return words.startswith(SETTING) or (words.startswith(MAKING) and " if not exists " in words)


def beginning(sql: str) -> str:
    """Return as much of a statement as a sentence bears."""
    return " ".join(sql.split())[:60]


def judged(step: Step, one: Taken, other: Taken, target: Target, whole: tuple[str, ...]) -> Step:
    """Return *step* with its class, the reasons for it, and what is sent for it."""
    looks = list(seen(one, target))
    live = [*whole, *one.reasons, *unfit(one, target), *told(looks, Looks.DATA)]
    blocks = settled(one)
    if blocks != settled(other):
        live.append(UNEQUAL)
    if live:
        why = tuple(dict.fromkeys(live))[:MOST]
        return replace(step, why=why, skips=one.skips, known=one.known)
    if catalog := told(looks, Looks.CATALOG):
        known = replace(step, kind=StepClass.CATALOG, fingerprint=one.fingerprint, known=one.known)
        return replace(known, why=catalog[:MOST], blocks=blocks, skips=one.skips)
    return replace(step, kind=StepClass.STATIC, blocks=blocks, skips=one.skips)


def seen(taken: Taken, target: Target) -> Iterator[tuple[Sent, Reading]]:
    """Yield what the script looked at."""
    for sent in taken.statements():
        if sent.read:
            yield sent, reading(sent.sql, target.dialect, version_table=target.version_table)


def told(looks: list[tuple[Sent, Reading]], kind: Looks) -> tuple[str, ...]:
    """Return the reasons of one kind, each once."""
    found = (placed(read.what, sent) for sent, read in looks if read.looks is kind)
    return tuple(dict.fromkeys(found))


def placed(what: str, sent: Sent) -> str:
    """Add the place in the script to a reason."""
    return f"{what}, {sent.place}" if sent.place else what


def unfit(taken: Taken, target: Target) -> Iterator[str]:
    """Yield what in the SQL of a script keeps it from being replayed."""
    for sent in taken.statements():
        if HIDDEN in sent.sql:  # a secret was taken out of it on its way from the runner
            yield placed("has a secret of the settings in its SQL", sent)
        if not is_nesting(sent.sql) and controls_transaction(sent.sql, target.dialect):
            yield placed("begins or ends a transaction in its SQL", sent)


def settled(taken: Taken) -> tuple[Block, ...]:
    """Return the blocks that are sent: without reads, in an order that does not vary."""
    blocks = (settled_block(block) for block in taken.blocks)
    return tuple(block for block in blocks if block.statements)


def settled_block(block: SentBlock) -> Block:
    """Return the statements of one block that are sent."""
    kept = [s.sql.strip() for s in block.statements if not s.read and not is_nesting(s.sql)]
    return Block(tuple(ordered(kept)), block.transactional)


def ordered(statements: list[str]) -> Iterator[str]:
    """Sort indexes that are created one after the other: SQLAlchemy keeps them in a set."""
    for indexes, several in groupby(statements, key=creates_index):
        found = list(several)
        yield from sorted(found) if indexes else found


def creates_index(sql: str) -> bool:
    """Tell whether a statement creates an index."""
    return sql.upper().startswith(("CREATE INDEX", "CREATE UNIQUE INDEX"))


def digest(sources: Mapping[str, str]) -> str:
    """Return the sha256 over the files that a live step depends on beside its script."""
    return hashlib.sha256(text_of(sources).encode()).hexdigest()
