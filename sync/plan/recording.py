"""What a runner took down while it ran a path's scripts on a shadow, as it said it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sync.plan.model import KnownType, SkippedDirective, Step


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
    fingerprint: str | None = None  #: of the shadow ahead of the script; None: not asked for
    known: tuple[KnownType, ...] = ()  #: types that earlier steps of the path have created

    def statements(self) -> tuple[Sent, ...]:
        """Return the statements of all blocks, in order."""
        return tuple(sent for block in self.blocks for sent in block.statements)


@dataclass(frozen=True, slots=True)
class Recording:
    """One path as one shadow saw it."""

    path: tuple[Step, ...]  #: of the whole path, as Alembic knows it: all live
    steps: tuple[Taken, ...]  #: fewer than *path* where a script failed
    aside: tuple[str, ...]  #: what env.py has sent on connections of its own
    ahead: Taken  #: what env.py has sent on ours before the first script
    behind: Taken  #: the same, after the last one
    failed: Taken | None  #: what the script has sent that failed; None: none did
    failure: Mapping[str, Any] | None  #: how it failed, as the runner says it
    sources: Mapping[str, str]  #: sha256 by path, of env.py and the project's modules


def taken_from(said: Mapping[str, Any], fingerprint: str | None = None) -> Taken:
    """Return what a runner has said of one script."""
    return Taken(
        blocks=tuple(block_from(block) for block in said.get("blocks", ())),
        reasons=tuple(said.get("reasons", ())),
        skips=tuple(SkippedDirective(*skip) for skip in said.get("skips", ())),
        fingerprint=fingerprint,
        known=tuple(KnownType(*known) for known in said.get("known", ())),
    )


def block_from(said: Mapping[str, Any]) -> SentBlock:
    """Return what a runner has said of one block."""
    statements = (Sent(each["sql"], each["place"], each["read"]) for each in said["statements"])
    return SentBlock(said["transactional"], tuple(statements))
