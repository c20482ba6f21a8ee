"""Which targets are not like the others at the same heads: pure, also where no run touched them.

Compared are targets of one history and dialect, at the same heads, on one major version of the
server, and all with a schema of their own, or none: other fingerprints differ anyway. At base
nothing is compared, since nothing of the history is there.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from providers.types import Heads, Target
from sync.store.fingerprints import Fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class Minority:
    """A target whose schema is not that of most of its like."""

    target: str
    heads: Heads
    found: str  #: its fingerprint
    usual: str  #: the fingerprint of the most; where none has most, the one of the first by name
    others: int  #: how many have that one


def minorities(seen: Iterable[tuple[Target, Fingerprint]]) -> tuple[Minority, ...]:
    """Return the targets that differ from most of their like, by name."""
    alike: Mapping[Hashable, list[tuple[str, Fingerprint]]] = defaultdict(list)
    for target, found in seen:
        if found.heads:
            alike[_like(target, found)].append((target.name, found))
    named = [one for group in alike.values() for one in _within(sorted(group, key=_name))]
    return tuple(sorted(named, key=lambda one: one.target))


def _name(member: tuple[str, Fingerprint]) -> str:
    return member[0]


def _like(target: Target, found: Fingerprint) -> Hashable:
    """Return what targets have in common whose schemas shall be equal."""
    whole = target.schema is None
    return (target.history, target.dialect, whole, found.heads, found.major)


def _within(group: Sequence[tuple[str, Fingerprint]]) -> Iterable[Minority]:
    digests = [found.digest for _, found in group]
    counts = Counter(digests)
    usual = max(digests, key=lambda digest: counts[digest])  # the first of several
    return (
        Minority(
            target=name,
            heads=found.heads,
            found=found.digest,
            usual=usual,
            others=counts[usual],
        )
        for name, found in group
        if found.digest != usual
    )
