from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType

import pytest

from sync.errors import ChainBrokenError
from sync.events.chain import GENESIS, JSON, Draft, Event, Head, seal, verify
from sync.events.kinds import Kind
from sync.store.text import canonical, moment_from_text, moment_to_text, parse_object

MOMENT = datetime(2031, 5, 6, 7, 8, 9, 10, tzinfo=UTC)

DRAFT = Draft(
    kind=Kind.STATEMENT_STARTED,
    actor="ada",
    target="orders-eu",
    history="app",
    run="r1",
    revision="a1b2",
    ticket="t1",
    data={"statements": ["ä"], "after": 1},
)


def chain(count: int) -> list[Event]:
    """Build a whole chain of *count* events."""
    events: list[Event] = []
    previous = GENESIS.hash
    for number in range(1, count + 1):
        event = seal(DRAFT, sequence=number, id=f"e{number}", at=MOMENT, previous=previous)
        events.append(event)
        previous = event.hash
    return events


def test_hash_is_documented() -> None:
    """The hash can be computed by anybody, from the description alone."""
    event = chain(1)[0]
    text = json.dumps(
        {
            "sequence": 1,
            "id": "e1",
            "at": "2031-05-06T07:08:09.000010Z",
            "kind": "statement.started",
            "actor": "ada",
            "target": "orders-eu",
            "history": "app",
            "run": "r1",
            "revision": "a1b2",
            "ticket": "t1",
            "data": {"after": 1, "statements": ["ä"]},
        },
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )
    assert event.hash == hashlib.sha256(("0" * 64 + text).encode()).hexdigest()


def test_whole_chain_verifies() -> None:
    """A chain that nobody touched ends at its last event."""
    events = chain(3)
    assert verify(events, GENESIS) == Head(3, events[-1].hash)
    assert verify(events[1:], Head(1, events[0].hash)) == Head(3, events[-1].hash)
    assert verify([], GENESIS) == GENESIS


@pytest.mark.parametrize(
    "change",
    [
        {"id": "other"},
        {"at": MOMENT + timedelta(microseconds=1)},
        {"kind": Kind.STATEMENT_FAILED},
        {"actor": "bob"},
        {"target": None},
        {"history": "other"},
        {"run": "r2"},
        {"revision": ""},
        {"ticket": "t2"},
        {"data": {"statements": ["a"], "after": 1}},
        {"data": {"statements": ["ä"], "after": 1.0}},
        {"data": {"statements": ["ä"], "after": True}},
        {"previous": "1" * 64},
        {"hash": "1" * 64},
        {"sequence": 7},
    ],
    ids=str,
)
def test_altered_event_is_found(change: Mapping[str, object]) -> None:
    """Changing any field of an event breaks the chain at that event."""
    first, second, third = chain(3)
    altered = replace(second, **change)  # type: ignore[arg-type]  # the fields vary
    with pytest.raises(ChainBrokenError) as caught:
        verify([first, altered, third], GENESIS)
    assert caught.value.sequence == 2


def test_missing_and_moved_events_are_found() -> None:
    """An event cannot be taken out, put elsewhere or added in front."""
    first, second, third = chain(3)
    for broken in ([first, third], [second, first, third], [second, third]):
        with pytest.raises(ChainBrokenError):
            verify(broken, GENESIS)


def test_resealed_event_breaks_the_next() -> None:
    """Altering an event and its hash is found at the event that follows."""
    first, second, third = chain(3)
    forged = seal(
        replace(DRAFT, actor="bob"), sequence=2, id=second.id, at=MOMENT, previous=first.hash
    )
    with pytest.raises(ChainBrokenError) as caught:
        verify([first, forged, third], GENESIS)
    assert caught.value.sequence == 3


def test_same_moment_in_another_zone_gives_the_same_event() -> None:
    """An event's time is UTC, however the clock put it."""
    elsewhere = MOMENT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    here, there = (
        seal(DRAFT, sequence=1, id="e1", at=at, previous=GENESIS.hash) for at in (MOMENT, elsewhere)
    )
    assert here == there
    assert there.at.tzinfo is UTC


def test_time_without_zone_is_refused() -> None:
    """A clock that does not say its zone is a mistake, not local time."""
    with pytest.raises(ValueError, match="no time zone"):
        seal(DRAFT, sequence=1, id="e1", at=MOMENT.replace(tzinfo=None), previous=GENESIS.hash)


@pytest.mark.parametrize("text", ["2031-05-06T07:08:09Z", "2031-05-06 07:08:09.000010Z", "now"])
def test_moment_has_one_text(text: str) -> None:
    """Another way to write a moment is not accepted: the hash is over the text."""
    assert moment_from_text(moment_to_text(MOMENT)) == MOMENT
    with pytest.raises(ValueError, match=r"moment|isoformat"):
        moment_from_text(text)


@pytest.mark.parametrize(
    "data",
    [
        {"b": 1, "a": [None, True, 1.5, -0.0, 10**30]},
        {"quote": '"\\\n\x00\u2028', "astral": "\U0001f600", "half": "\ud800x"},
        MappingProxyType({"inner": MappingProxyType({"x": ()})}),
    ],
    ids=["numbers", "text", "frozen"],
)
def test_data_survives(data: Mapping[str, JSON]) -> None:
    """Whatever JSON can say comes back as it was, and is written in one way."""
    text = canonical(data)
    text.encode("utf-8")
    assert canonical(parse_object(text)) == text
    assert parse_object(text) == json.loads(json.dumps(data, default=dict))


@pytest.mark.parametrize("text", ['{"a": 1}', '{"b":1,"a":1}', '{"a":1,"a":2}', "[]", "{"])
def test_json_has_one_text(text: str) -> None:
    """Another way to write the same data is not accepted: the hash is over the text."""
    with pytest.raises(ValueError, match=r"canonical|Expecting"):
        parse_object(text)


@pytest.mark.parametrize("value", [float("nan"), b"bytes", MOMENT, {1, 2}], ids=str)
def test_data_must_be_json(value: object) -> None:
    """Data that JSON has no word for is refused before anything is stored."""
    draft = replace(DRAFT, data={"x": value})  # type: ignore[dict-item]  # the mistake
    with pytest.raises((TypeError, ValueError)):
        seal(draft, sequence=1, id="e1", at=MOMENT, previous=GENESIS.hash)
