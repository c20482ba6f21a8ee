"""The chain of events, as pure values: how an event is sealed, and how a chain is checked.

The hash of an event is ``sha256(previous + text)``, hexadecimal. *previous* is the hash of
the event before it, as text (64 zeros before the first). *text* is the canonical JSON of an
object with the fields sequence, id, at, kind, actor, target, history, run, revision, ticket
and data: keys sorted, no blanks, absent fields null, `at` as in
``2031-05-06T07:08:09.000010Z``, numbers as Python writes them, all as UTF-8.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from hashlib import sha256

from sync.errors import ChainBrokenError
from sync.events.kinds import Kind
from sync.store.text import JSON, canonical, moment_to_text

__all__ = ["GENESIS", "JSON", "Draft", "Event", "Head", "seal", "verify"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A fact that is not in the log yet. No URL, password or row data belongs into it."""

    kind: Kind
    actor: str
    target: str | None = None
    history: str | None = None
    run: str | None = None
    revision: str | None = None
    ticket: str | None = None
    data: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Draft):
    """A fact at its place in the log."""

    sequence: int  #: 1, 2, 3, ... without a gap
    id: str
    at: datetime  #: aware, UTC
    previous: str  #: hash of the event before
    hash: str


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends."""

    sequence: int
    hash: str


_OF_DRAFT = tuple(each.name for each in fields(Draft))
_HASHED = tuple(each.name for each in fields(Event) if each.name not in {"previous", "hash"})

#: Where the chain ends before its first event.
GENESIS = Head(0, "0" * 64)


def seal(
    draft: Draft,
    *,
    sequence: int,
    id: str,  # noqa: A002 - the name of the field
    at: datetime,
    previous: str,
) -> Event:
    """Give *draft* its place behind the event whose hash is *previous*.

    The event's data is what its JSON says: tuples have become lists.

    Raises:
        TypeError: The data holds something that JSON has no word for.
        ValueError: The data holds a number that is not finite, or *at* names no time zone.
    """
    facts = {name: getattr(draft, name) for name in _OF_DRAFT}
    facts |= {"sequence": sequence, "id": id, "data": json.loads(canonical(draft.data))}
    sealed = _hash(facts | {"at": moment_to_text(at)}, previous)
    return Event(**facts, at=at.astimezone(UTC), previous=previous, hash=sealed)


def _hash(facts: Mapping[str, JSON], previous: str) -> str:
    return sha256((previous + canonical(facts)).encode()).hexdigest()


def _hash_of(event: Event) -> str:
    facts = {name: getattr(event, name) for name in _HASHED}
    return _hash(facts | {"at": moment_to_text(event.at)}, event.previous)


def verify(events: Iterable[Event], previous: Head) -> Head:
    """Check that *events* follow *previous* without a gap and are as they were sealed.

    Returns:
        The end of the chain after the last of them.

    Raises:
        ChainBrokenError: An event is missing, out of place or altered.
    """
    for event in events:
        _check(event, previous)
        previous = Head(event.sequence, event.hash)
    return previous


def _check(event: Event, previous: Head) -> None:
    if event.sequence != previous.sequence + 1:
        raise ChainBrokenError(
            f"it is missing; the next one is {event.sequence}", sequence=previous.sequence + 1
        )
    if event.previous != previous.hash:
        raise ChainBrokenError("it does not follow the one before it", sequence=event.sequence)
    if event.hash != _hash_of(event):
        raise ChainBrokenError("it is not as it was written", sequence=event.sequence)
