"""Makes a plan of two recordings of one path: judges each step, and settles its statements."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from providers.types import Heads, Target
from sync.plan.canonical import plan_of, text_of
from sync.plan.continuity import in_one_session
from sync.plan.environs import of_env, of_first, prologue
from sync.plan.model import Block, Plan, Step, StepClass
from sync.plan.reads import (
    Looks,
    Reading,
    controls_transaction,
    is_nesting,
    placed,
    reading,
)
from sync.plan.recording import Recording, Sent, SentBlock, Taken
from sync.scrub import HIDDEN

#: Reasons that a step keeps: the first ones say enough.
MOST = 5

UNEQUAL = "comes out different when it is compiled again"

#: An index as SQLAlchemy creates it. One without a name, or one that may be there already,
#: depends on those ahead of it.
INDEX = re.compile(r"CREATE (UNIQUE )?INDEX (?!IF |ON |CONCURRENTLY )[^;]*\Z")


def assembled(target: Target, before: Heads, one: Recording, other: Recording) -> Plan:
    """Return the plan of a path that was recorded twice, on two shadows and by two clocks."""
    whole, first = tuple(of_env(one, target)), tuple(of_first(one, target))
    shorter = min(one, other, key=lambda recording: len(recording.steps))
    pairs = list(zip(one.steps, other.steps, strict=False))
    known = len(pairs)
    steps = [
        judged(step, pair, target, whole if place else whole + first)
        for place, (step, pair) in enumerate(zip(one.path, pairs, strict=False))
    ]
    if known < len(one.path):
        steps += uncompiled(one.path[known:], shorter, target)
    return plan_of(
        target.history,
        target.dialect,
        before,
        in_one_session(steps, one.steps),
        prologue=() if whole else prologue(one),
        sources=digest(one.sources),
    )


def uncompiled(steps: Sequence[Step], recording: Recording, target: Target) -> Iterator[Step]:
    """Yield steps that the shadow could not show: the script of the first one failed there."""
    taken = recording.failure.taken if recording.failure else Taken()
    reads = told(seen(taken, target), Looks.DATA)
    why = (*taken.outside, *reads, "fails on the shadow")[:MOST]
    yield replace(steps[0], why=why, known=taken.known)
    for step in steps[1:]:
        yield replace(step, why=(f"comes behind {steps[0].revision}, which fails on the shadow",))


def judged(step: Step, pair: tuple[Taken, Taken], target: Target, whole: tuple[str, ...]) -> Step:
    """Return *step* with its class, the reasons for it, and what is sent for it.

    *whole* is why it cannot be replayed whatever its script does.
    """
    one, other = pair
    looks = seen(one, target)
    why = [*whole, *one.outside, *one.reasons, *unfit(one, target), *told(looks, Looks.DATA)]
    blocks = settled(one)
    step = replace(step, skips=one.skips, notes=one.notes)
    if blocks != settled(other):
        why.append(UNEQUAL)
    if why:
        reasons = tuple(dict.fromkeys(why))[:MOST]
        return replace(step, why=reasons, known=one.known)
    if catalog := told(looks, Looks.CATALOG):
        known = replace(step, kind=StepClass.CATALOG, fingerprint=one.fingerprint, known=one.known)
        return replace(known, why=catalog[:MOST], blocks=blocks)
    return replace(step, kind=StepClass.STATIC, blocks=blocks)


def seen(taken: Taken, target: Target) -> list[tuple[Sent, Reading]]:
    """Return what the script looked at."""
    return [(sent, reading(sent.sql, target)) for sent in taken.looked_at()]


def told(looks: Sequence[tuple[Sent, Reading]], kind: Looks) -> tuple[str, ...]:
    """Return the reasons of one kind, each once."""
    found = (placed(read.what, sent.place) for sent, read in looks if read.looks is kind)
    return tuple(dict.fromkeys(found))


def unfit(taken: Taken, target: Target) -> Iterator[str]:
    """Yield what in the SQL of a script keeps it from being replayed."""
    for sent in taken.statements():
        if HIDDEN in sent.sql:  # a secret was taken out of it on its way from the runner
            yield placed("has a secret of the settings in its SQL", sent.place)
        if not is_nesting(sent.sql) and controls_transaction(sent.sql, target):
            yield placed("begins or ends a transaction in its SQL", sent.place)


def settled(taken: Taken) -> tuple[Block, ...]:
    """Return the blocks that are sent: without reads, in an order that does not vary."""
    blocks = (settled_block(block) for block in taken.blocks)
    return tuple(block for block in blocks if block.statements)


def settled_block(block: SentBlock) -> Block:
    """Return the statements of one block that are sent."""
    kept = [s.sql.strip() for s in block.statements if not s.read and not is_nesting(s.sql)]
    return Block(tuple(ordered(filter(None, kept))), block.transactional)


def ordered(statements: Iterator[str]) -> Iterator[str]:
    """Sort indexes that are created one after the other: SQLAlchemy keeps them in a set."""
    for indexes, several in groupby(statements, key=creates_index):
        found = list(several)
        yield from sorted(found) if indexes else found


def creates_index(sql: str) -> bool:
    """Tell whether a statement creates one index, as SQLAlchemy writes it."""
    return INDEX.match(sql) is not None


def digest(sources: Mapping[str, str]) -> str:
    """Return the sha256 over the files that a live step depends on beside its script."""
    return hashlib.sha256(text_of(sources).encode()).hexdigest()
