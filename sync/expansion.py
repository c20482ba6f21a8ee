"""From the names that were found for a pattern to targets: pure.

A name is not trusted to be of use: it may come twice, make no fit name for a target, or one
that is taken. Then it is left out, and said so; the others are targets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import TypeAlias

from providers.errors import LevelheadError
from providers.types import Target
from sync.events.chain import JSON, Draft
from sync.events.kinds import Kind
from sync.settings.places import version_table_of
from sync.settings.tenants import Over, Tenants
from sync.settings.values import NAME, quote
from sync.status import Patience
from sync.store.tenants import TenantsState

#: So many tenants that were left out are named in one line.
MOST = 3

#: Moves a target to another database of its server.
Move: TypeAlias = Callable[[Target, str], Target]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back when a pattern's database was asked who the tenants are."""

    pattern: Tenants
    at: datetime
    tenants: tuple[str, ...] = ()
    error: LevelheadError | None = None  #: why there was no answer


@dataclass(frozen=True, slots=True)
class Tenant:
    """A schema or a database that was found, and the target that it would be."""

    name: str
    target: Target
    place: tuple[str | None, ...]  #: what no two targets may share


@dataclass(frozen=True, slots=True)
class Expansion:
    """Every target there is, and why some of what was found is none."""

    targets: Mapping[str, Target]  #: by name: those of the settings first
    left_out: Mapping[str, tuple[str, ...]]  #: pattern -> a line for each
    members: Mapping[str, Mapping[str, str | None]]  #: pattern -> tenant -> target; None: left out


@dataclass(slots=True)
class Taken:
    """Names and version tables that are somebody's already."""

    names: dict[str, Target]
    places: dict[tuple[str | None, ...], str]  #: -> name of a target
    patterns: frozenset[str] = field(default_factory=frozenset)

    def refusal(self, tenant: Tenant) -> str | None:
        """Return why *tenant* cannot be a target too; None where it can."""
        name = tenant.target.name
        if not NAME.fullmatch(name):
            return f"{quote(name)} is no name for a target: letters, digits, _ . - only"
        if name in self.patterns:
            return f"{quote(name)} is the name of a pattern"
        if other := self.names.get(name):
            return f"another target is named {quote(name)}{_whose(other)}"
        if holder := self.places.get(tenant.place):
            return f"target {quote(holder)} has the same database and version table"
        return None


def _whose(target: Target) -> str:
    return f", of tenants {quote(target.tenants)}" if target.tenants else ""


def tenants_of(pattern: Tenants, names: Sequence[str], move: Move) -> tuple[Tenant, ...]:
    """Return what *names* are to *pattern*, in order; a name that comes twice is there twice."""
    makes = _in_schema if pattern.over is Over.SCHEMA else move
    found = []
    for name in sorted(names):
        target = makes(replace(pattern.model, name=pattern.name_of(name)), name)
        found.append(Tenant(name, target, version_table_of(target)))
    return tuple(found)


def _in_schema(target: Target, schema: str) -> Target:
    return replace(target, schema=schema)


def expanded(configured: Mapping[str, Target], found: Mapping[str, Sequence[Tenant]]) -> Expansion:
    """Return all targets: those of the settings, and those that *found* gives by pattern.

    Who comes first has the name: the settings, then one pattern after the other.
    """
    places = {version_table_of(target): target.name for target in configured.values()}
    taken = Taken(dict(configured), places, frozenset(found))
    left_out, members = {}, {}
    for pattern, tenants in found.items():
        members[pattern], left_out[pattern] = _admitted(tenants, taken)
    return Expansion(
        MappingProxyType(taken.names), MappingProxyType(left_out), MappingProxyType(members)
    )


def _admitted(
    tenants: Sequence[Tenant], taken: Taken
) -> tuple[Mapping[str, str | None], tuple[str, ...]]:
    """Return tenant -> target, and why others are left out; those admitted are taken then."""
    members: dict[str, str | None] = {}
    lines: list[str] = []
    for tenant in tenants:
        if tenant.name in members:
            lines.append(f"{quote(tenant.name)}: comes twice")
        elif refusal := taken.refusal(tenant):
            members[tenant.name] = None
            lines.append(f"{quote(tenant.name)}: {refusal}")
        else:
            members[tenant.name] = tenant.target.name
            taken.names[tenant.target.name] = tenant.target
            taken.places[tenant.place] = tenant.target.name
    return members, tuple(lines)


def names_in(state: TenantsState | None, question: str) -> tuple[str, ...]:
    """Return who the tenants were by the last answer to *question*; none where it had none."""
    return tuple(state.members) if state and state.question == question else ()


def noticed(
    old: TenantsState | None,
    answer: Answer,
    question: str,
    expansion: Expansion,
    patience: Patience,
) -> TenantsState:
    """Return what is known of a pattern after *answer*; where that is an error, who they were."""
    name = answer.pattern.name
    state = old or TenantsState(pattern=name, question=question)
    if answer.error is not None:
        failures = state.failures + 1
        retry_at = answer.at + patience.after(failures)
        return replace(state, problem=str(answer.error), failures=failures, retry_at=retry_at)
    return TenantsState(
        pattern=name,
        question=question,
        members=expansion.members[name],
        left_out=shortened(expansion.left_out[name]),
        listed_at=answer.at,
    )


def shortened(lines: Sequence[str]) -> str | None:
    """Return the first of *lines* in one; None where there are none."""
    more = [f"and {len(lines) - MOST} more"] if len(lines) > MOST else []
    return "; ".join([*lines[:MOST], *more]) or None


def differences(old: TenantsState | None, new: TenantsState, pattern: Tenants) -> Iterator[Draft]:
    """Yield the events that an answer gives: none where nothing changed."""
    before = old or TenantsState(pattern=new.pattern, question=new.question)
    for name in sorted(new.targets() - before.targets()):
        yield _about(pattern, Kind.TARGET_FOUND, target=name)
    for name in sorted(before.targets() - new.targets()):
        yield _about(pattern, Kind.TARGET_VANISHED, target=name)
    if new.failures and not before.failures:
        yield _about(pattern, Kind.TENANTS_FAILED, message=new.problem)
    if before.failures and not new.failures:
        yield _about(pattern, Kind.TENANTS_RECOVERED)
    if new.left_out and new.left_out != before.left_out:
        yield _about(pattern, Kind.TENANTS_SKIPPED, message=new.left_out)


def _about(pattern: Tenants, kind: Kind, target: str | None = None, **facts: JSON) -> Draft:
    return Draft(
        kind=kind,
        actor="service",
        target=target,
        history=pattern.model.history,
        data={"tenants": pattern.name, **facts},
    )
