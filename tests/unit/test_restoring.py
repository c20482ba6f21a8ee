"""Which texts of a run may have had an effect, read off its events."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sync.cli.restoring import sent
from sync.events.chain import JSON, Event
from sync.events.kinds import Kind


def event(kind: Kind, ticket: str, **data: JSON) -> Event:
    """Return an event about a statement."""
    return Event(
        sequence=1,
        id="e",
        at=datetime(2026, 3, 1, tzinfo=UTC),
        kind=kind,
        actor="ada",
        target="eu",
        history="app",
        run="r1",
        revision="a1",
        ticket=ticket,
        data=data,
        previous="",
        hash="",
    )


@pytest.mark.parametrize(
    ("end", "texts"),
    [
        (event(Kind.STATEMENT_SUCCEEDED, "t1"), ["d1"]),
        (event(Kind.STATEMENT_FAILED, "t1"), []),
        (event(Kind.STATEMENT_INTERRUPTED, "t1"), ["d1"]),
        (event(Kind.STATEMENT_RESOLVED, "t1", outcome="unknown"), ["d1"]),
        (event(Kind.STATEMENT_RESOLVED, "t1", outcome="applied"), ["d1"]),
        (event(Kind.STATEMENT_RESOLVED, "t1", outcome="absent"), []),
    ],
    ids=lambda value: value.kind + str(value.data) if isinstance(value, Event) else "",
)
def test_sent(end: Event, texts: list[str]) -> None:
    """What failed, or was found not to have happened, is not to be undone."""
    begun = event(Kind.STATEMENT_STARTED, "t1", statements=["d1"])
    assert list(sent([begun, end])) == texts
