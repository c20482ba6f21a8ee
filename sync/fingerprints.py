"""What the fingerprints of a target mean: pure, from what was seen to what follows.

A fingerprint is compared with the one that the last run left, at the same heads and on the same
major version of the server only: elsewhere a difference says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from providers.types import Heads, Snapshot, Target
from sync.events.chain import JSON, Draft
from sync.events.kinds import Kind
from sync.model import Status, TargetStatus
from sync.store.fingerprints import Fingerprint, Fingerprints

#: Lines of a difference that are kept, and those of them that a problem tells.
LINES = 20
TOLD = 3

#: Of a target in these nobody can tell now what its schema is.
_OUT_OF_SIGHT = frozenset({Status.STARTING, Status.UNREACHABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What one look at a live schema gave."""

    at: datetime
    heads: Heads
    fingerprint: Fingerprint | None = None  #: None: it could not be read
    snapshot: Snapshot | None = None  #: None: one of this fingerprint was kept already
    problem: str | None = None  #: one line: why it could not be read


def comparable(one: Fingerprint | None, other: Fingerprint | None) -> bool:
    """Tell whether a difference between two fingerprints would mean something."""
    if one is None or other is None:
        return False
    return (one.heads, one.major) == (other.heads, other.major)


def has_drifted(known: Fingerprints) -> bool:
    """Tell whether a target's schema is not the one that was recorded at its heads."""
    old, new = known.recorded, known.live
    return old is not None and new is not None and comparable(old, new) and old != new


def is_due(known: Fingerprints, heads: Heads, now: datetime, every: timedelta | None) -> bool:
    """Tell whether to look at the schema of a target at *heads*; never where *every* is None."""
    if every is None:
        return False
    moved = known.live is not None and known.live.heads != heads
    return moved or is_overdue(known, now, every)


def is_overdue(known: Fingerprints, now: datetime, every: timedelta | None) -> bool:
    """Tell whether to look at a target's schema wherever the target stands."""
    if every is None:
        return False
    return known.looked_at is None or known.looked_at + every <= now


def noticed(old: Fingerprints, seen: Sight) -> Fingerprints:
    """Return what is known after a look; of a difference nobody has told the lines yet."""
    if seen.fingerprint is None:
        stale = old.live is not None and old.live.heads != seen.heads
        live = None if stale else old.live
        return replace(old, live=live, looked_at=seen.at, problem=seen.problem)
    new = replace(old, live=seen.fingerprint, looked_at=seen.at, problem=None)
    same = (old.recorded, old.live) == (new.recorded, new.live)
    return new if same else replace(new, difference=())


def recorded(old: Fingerprints, seen: Sight) -> Fingerprints:
    """Return what is known after a run: what it left is what the target shall be."""
    if seen.fingerprint is None:
        return noticed(old, seen)
    found = seen.fingerprint
    return Fingerprints(target=old.target, recorded=found, live=found, looked_at=seen.at)


def news(old: Fingerprints, new: Fingerprints, target: Target) -> tuple[Draft, ...]:
    """Return the events of a look: one for each fingerprint that was not recorded, and its end."""
    if has_drifted(new):
        if has_drifted(old) and old.live == new.live:
            return ()
        return (_draft(Kind.TARGET_DRIFTED, target, _facts(new)),)
    ended = comparable(old.recorded, new.live) and old.recorded == new.recorded
    if has_drifted(old) and ended:
        return (_draft(Kind.TARGET_RESTORED, target, _facts(new)),)
    return ()


def _facts(known: Fingerprints) -> dict[str, JSON]:
    assert known.live is not None  # noqa: S101 - a look has just seen it
    assert known.recorded is not None  # noqa: S101 - it was compared with that
    facts: dict[str, JSON] = {
        "heads": sorted(known.live.heads),
        "recorded": known.recorded.digest,
        "found": known.live.digest,
    }
    if known.difference:
        facts |= {"difference": known.difference, "message": shortened(known.difference)}
    return facts


def _draft(kind: Kind, target: Target, data: Mapping[str, JSON]) -> Draft:
    return Draft(kind=kind, actor="service", target=target.name, history=target.history, data=data)


def with_drift(status: TargetStatus, known: Fingerprints, minority: str | None) -> TargetStatus:
    """Return *status* with what is known of the target's schema.

    A target with something pending stays `behind`: drift does not keep the clock from it.
    """
    if status.status in _OUT_OF_SIGHT or (known.live and known.live.heads != status.heads):
        return status
    drifted = has_drifted(known)
    told = (status.problem, _told(status, known) if drifted else known.problem, minority)
    is_all = drifted and status.status is Status.CURRENT
    return replace(
        status,
        status=Status.DRIFTED if is_all else status.status,
        drift=known.difference if drifted else (),
        minority=minority,
        problem="; ".join(filter(None, told)) or None,
    )


def _told(status: TargetStatus, known: Fingerprints) -> str:
    """Return in one line how a schema has drifted, and what to do."""
    heads = sorted(status.heads or ())
    place = ", ".join(heads) or "base"
    accept = f", or accept it with levelhead stamp {status.name} {heads[0]}"
    return (
        f"{status.name}: drifted from what was recorded at {place}: "
        f"{shortened(known.difference)}; put it right{accept if len(heads) == 1 else ''}"
    )


def shortened(lines: tuple[str, ...]) -> str:
    """Return the first lines of a difference as one."""
    if not lines:
        return "nothing is kept to compare it with"
    return "; ".join((*lines[:TOLD], "...") if len(lines) > TOLD else lines)
