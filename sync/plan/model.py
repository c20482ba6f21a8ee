"""A migration path: which revisions, in which order, between which heads."""

from __future__ import annotations

from dataclasses import dataclass

from providers.types import Heads


@dataclass(frozen=True, slots=True)
class Step:
    """One revision, up or down, and the heads it moves between."""

    revision: str
    before: Heads
    after: Heads
    script: str  #: sha256 of the revision file, hexadecimal


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps from one set of heads to another; empty where they are the same."""

    history: str
    dialect: str
    before: Heads
    after: Heads
    steps: tuple[Step, ...]
    digest: str  #: of everything above but the history's name; see `sync.plan.canonical`


@dataclass(frozen=True, slots=True)
class Preview:
    """What an order would do to one target: a plan, or the reason why there is none."""

    target: str
    plan: Plan | None
    problem: str | None = None
