"""What a runner took down while it ran a path's scripts on a shadow, as it said it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sync.plan.model import KnownType, NotedDirective, SkippedDirective, Step
from sync.plan.processes import steps_of


@dataclass(frozen=True, slots=True)
class Sent:
    """One statement that succeeded on the shadow."""

    sql: str
    place: str  #: such as ``"0016_tenant.py line 14"``; empty where no script sent it
    read: bool  #: what it returned was looked at


@dataclass(frozen=True, slots=True)
class SentBlock:
    """Statements that were committed together, or one that committed by itself."""

    transactional: bool
    statements: tuple[Sent, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """All that one script has sent, and what was noticed about it."""

    blocks: tuple[SentBlock, ...] = ()
    reasons: tuple[str, ...] = ()  #: what defies replay
    skips: tuple[SkippedDirective, ...] = ()
    notes: tuple[NotedDirective, ...] = ()
    outside: tuple[str, ...] = ()  #: what would have happened outside of the shadow
    undone: tuple[Sent, ...] = ()  #: what was looked at in transactions that were rolled back
    remains: tuple[str, ...] = ()  #: what the script has left in the session, by name
    fingerprint: str | None = None  #: of the shadow ahead of the script; None: not asked for
    known: tuple[KnownType, ...] = ()  #: types that earlier steps of the path have created

    def statements(self) -> tuple[Sent, ...]:
        """Return the statements of all blocks, in order."""
        return tuple(sent for block in self.blocks for sent in block.statements)

    def looked_at(self) -> tuple[Sent, ...]:
        """Return the statements whose result somebody looked at, be they rolled back since."""
        return (*self.undone, *(sent for sent in self.statements() if sent.read))


class Stage(StrEnum):
    """What was under way when a recording ended early."""

    ENV = "env.py"  #: env.py, ahead of all scripts
    WAY = "way"  #: a script on the way to where the path begins
    PATH = "path"


@dataclass(frozen=True, slots=True)
class Failure:
    """How a recording ended early."""

    stage: Stage
    revision: str  #: whose script failed; empty where none ran yet
    taken: Taken  #: what it had sent
    said: Mapping[str, Any]  #: how it failed, as the runner says it; see `sync.plan.failures`


@dataclass(frozen=True, slots=True)
class Recording:
    """One path as one shadow saw it."""

    path: tuple[Step, ...]  #: of the whole path, as Alembic knows it: all live
    steps: tuple[Taken, ...]  #: fewer than *path* where a script failed
    aside: tuple[str, ...]  #: what env.py has sent on connections of its own
    setup: tuple[str, ...]  #: what makes the settings of a session those of env.py's own
    ahead: Taken  #: what env.py has sent on our connection before the first script
    behind: Taken  #: the same, after the last one
    failure: Failure | None
    sources: Mapping[str, str]  #: sha256 by path: env.py, modules of the project, what they read

    def ended_early(self) -> Failure | None:
        """Return how the recording ended ahead of the path; None where it came to that."""
        if self.failure is None or self.failure.stage is Stage.PATH:
            return None
        return self.failure


def recording_from(said: Mapping[str, Any], fingerprints: Sequence[str | None]) -> Recording:
    """Return the recording that a runner has described."""
    failed = said.get("failed")
    return Recording(
        path=steps_of(said["path"]),
        steps=tuple(map(taken_from, said["steps"], fingerprints)),
        aside=tuple(said["aside"]),
        setup=tuple(said["setup"]),
        ahead=taken_from(said["ahead"]),
        behind=taken_from(said["behind"]),
        failure=failure_from(failed) if failed else None,
        sources=said["sources"],
    )


def failure_from(said: Mapping[str, Any]) -> Failure:
    """Return what a runner has said of the end of its recording."""
    return Failure(Stage(said["stage"]), said["revision"], taken_from(said), said)


def taken_from(said: Mapping[str, Any], fingerprint: str | None = None) -> Taken:
    """Return what a runner has said of one script."""
    return Taken(
        blocks=tuple(block_from(block) for block in said.get("blocks", ())),
        reasons=tuple(said.get("reasons", ())),
        skips=tuple(SkippedDirective(*skip) for skip in said.get("skips", ())),
        notes=tuple(NotedDirective(*note) for note in said.get("notes", ())),
        outside=tuple(said.get("outside", ())),
        undone=tuple(map(sent_from, said.get("undone", ()))),
        remains=tuple(said.get("remains", ())),
        fingerprint=fingerprint,
        known=tuple(KnownType(*known) for known in said.get("known", ())),
    )


def block_from(said: Mapping[str, Any]) -> SentBlock:
    """Return what a runner has said of one block."""
    return SentBlock(said["transactional"], tuple(map(sent_from, said["statements"])))


def sent_from(said: Mapping[str, Any]) -> Sent:
    """Return what a runner has said of one statement."""
    return Sent(said["sql"], said["place"], said["read"])
