"""What is to be said of patterns of tenants, beside their targets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from providers.types import Policy
from sync.cli.words import count, instant, named, one_line
from sync.expansion import MOST
from sync.model import TenantsStatus


def complaints(patterns: Iterable[TenantsStatus]) -> Iterator[str]:
    """Yield a line for each thing that somebody should look at."""
    for pattern in patterns:
        if pattern.problem is not None:
            yield one_line(f"{named(pattern.name, pattern.problem)}; {stale(pattern)}")
        for line in pattern.left_out[:MOST]:
            yield f"{pattern.name}: left out {line}"
        if len(pattern.left_out) > MOST:
            yield f"{pattern.name}: and {len(pattern.left_out) - MOST:,} more are left out"


def stale(pattern: TenantsStatus) -> str:
    """Return what holds while a pattern's database does not tell."""
    if pattern.listed_at is None:
        return "it has never told who the tenants are"
    stay = "stays" if pattern.targets == 1 else "stay"
    return f"the {count(pattern.targets, 'target')} of {instant(pattern.listed_at)} {stay}"


def empty(patterns: Iterable[TenantsStatus]) -> Iterator[str]:
    """Yield a line for each pattern whose database told that there is nobody."""
    for pattern in patterns:
        if pattern.policy is Policy.OFF:
            continue
        if not pattern.targets and not pattern.left_out and pattern.listed_at is not None:
            yield f"{pattern.name}: no {pattern.over} matches; it stands for no target"
