"""A migration path, compiled: which revisions, with which SQL, between which heads.

`sync.plan.canonical` writes a plan as bytes and signs it with its digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from providers.types import Heads
from sync.plan.findings import Finding


class StepClass(StrEnum):
    """How a step is carried out, which depends on what its script read when it was compiled."""

    STATIC = "static"  #: it read nothing: its statements are replayed
    CATALOG = "catalog"  #: only the catalog: replayed where the schema is the shadow's
    LIVE = "live"  #: it depends on the target: the script itself runs against each


@dataclass(frozen=True, slots=True)
class Block:
    """Statements that commit together; one alone where it stands outside a transaction."""

    statements: tuple[str, ...]  #: literal SQL, in order, as the shadow took it
    transactional: bool = True


@dataclass(frozen=True, slots=True)
class SkippedDirective:
    """A directive without a counterpart on the plan's dialect."""

    directive: str  #: such as ``"index"``
    detail: str


@dataclass(frozen=True, slots=True)
class NotedDirective:
    """Something to know of what a directive sends, such as what it asks of other clients."""

    directive: str  #: such as ``"protocol"``
    detail: str


@dataclass(frozen=True, slots=True)
class KnownType:
    """A type that earlier steps of a path have created: Alembic does not create it again."""

    kind: str  #: as Alembic keeps it in mind
    within: str | None  #: its schema; None: the search path
    name: str


@dataclass(frozen=True, slots=True)
class Step:
    """One revision, up or down, and the heads it moves between."""

    revision: str  #: empty where heads move without a script, as a stamp does
    before: Heads
    after: Heads
    script: str  #: sha256 of the revision file, hexadecimal
    kind: StepClass = StepClass.LIVE
    why: tuple[str, ...] = ()  #: reasons of the class, such as ``"reads tenant, 0016.py line 14"``
    blocks: tuple[Block, ...] = ()  #: none where it is live, or where nothing is to be sent
    fingerprint: str | None = None  #: of the shadow ahead of a catalog step; else None
    skips: tuple[SkippedDirective, ...] = ()
    known: tuple[KnownType, ...] = ()  #: ahead of a script that may have to run; else none
    notes: tuple[NotedDirective, ...] = ()

    @property
    def is_up(self) -> bool:
        """Whether it applies its revision; else it takes it back, or is a stamp."""
        return self.revision in self.after

    @property
    def atomic(self) -> bool:
        """Whether the whole step fits into one transaction, with its guard and its stamp."""
        return len(self.blocks) <= 1 and all(block.transactional for block in self.blocks)


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps from one set of heads to another; empty where they are the same."""

    history: str
    dialect: str
    before: Heads
    after: Heads
    steps: tuple[Step, ...]
    digest: str  #: of what would be sent; see `sync.plan.canonical`
    prologue: tuple[str, ...] = ()  #: what env.py sends ahead; it may be sent again and again
    sources: str = ""  #: sha256 over env.py and the project's modules; or over the history


@dataclass(frozen=True, slots=True)
class Compilation:
    """A plan, and the files that it depends on beside its scripts."""

    plan: Plan
    sources: Mapping[str, str]  #: sha256 by path, from the folder of alembic.ini


@dataclass(frozen=True, slots=True)
class Preview:
    """What an order would do to one target, or the reason why it would not."""

    target: str
    plan: Plan | None  #: None: there is none, or nobody could find out
    problem: str | None = None
    findings: tuple[Finding, ...] = ()  #: what somebody should look at first
    unasked: tuple[str, ...] = ()  #: one line each: which rules were not applied, and why
