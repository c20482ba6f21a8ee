"""What fingerprints mean: when to look, what is drift, which events follow, what is shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from providers.types import Heads, Policy
from sync.events.kinds import Kind
from sync.fingerprints import (
    Sight,
    has_drifted,
    is_due,
    news,
    noticed,
    recorded,
    shortened,
    with_drift,
)
from sync.model import Status, TargetStatus
from sync.store.fingerprints import Fingerprint, Fingerprints
from tests.support.control import START
from tests.support.engine import at
from tests.support.states import TARGET

EVERY = timedelta(minutes=15)
A = at("a")
NOTHING = Fingerprints(target="db-1")


def seen(digest: str | None, heads: Heads = A, major: str = "15") -> Sight:
    """Build a look at the schema; None: it was in vain."""
    found = Fingerprint(digest, heads, major) if digest else None
    return Sight(at=START, heads=heads, fingerprint=found, problem=None if found else "locked")


LEVEL = recorded(NOTHING, seen("one"))
DRIFTED = replace(noticed(LEVEL, seen("two")), difference=("+ table x",))


def kinds(old: Fingerprints, new: Fingerprints) -> list[Kind]:
    """Return the kinds of the events that a look gives."""
    return [draft.kind for draft in news(old, new, TARGET)]


def shown(status: Status, known: Fingerprints, **more: object) -> TargetStatus:
    """Return what is shown of a target at revision a that is known so."""
    plain = TargetStatus(
        name="db-1",
        history="app",
        provider="postgresql",
        status=status,
        heads=at("a"),
        head=at("a"),
        pending=(),
        policy=Policy.APPLY,
    )
    return with_drift(replace(plain, **more), known, None)  # type: ignore[arg-type]  # the fields are the test's own


@pytest.mark.parametrize(
    ("look", "drifts"),
    [
        (seen("one"), False),
        (seen("two"), True),
        (seen("two", at("b")), False),
        (seen("two", major="16"), False),
        (seen(None), False),
    ],
)
def test_drift(look: Sight, drifts: bool) -> None:  # noqa: FBT001 - a column of the table
    """A schema has drifted when it differs at the same heads, on the same major version."""
    assert has_drifted(noticed(LEVEL, look)) is drifts


def test_nothing_recorded() -> None:
    """A target that no run has touched never drifts."""
    assert not has_drifted(noticed(noticed(NOTHING, seen("one")), seen("two")))


def test_when_to_look() -> None:
    """A look is due at first, after a while, and where heads moved; never where it is off."""
    assert is_due(NOTHING, at("a"), START, EVERY)
    assert not is_due(LEVEL, at("a"), START + EVERY / 2, EVERY)
    assert is_due(LEVEL, at("a"), START + EVERY, EVERY)
    assert is_due(LEVEL, at("b"), START, EVERY)
    assert not is_due(NOTHING, at("a"), START, None)


def test_a_look_in_vain() -> None:
    """It is told, drift stays as it was known, and the next look waits for its time."""
    known = noticed(DRIFTED, seen(None))
    assert (known.problem, known.live, known.difference) == (
        "locked",
        DRIFTED.live,
        ("+ table x",),
    )
    assert not is_due(noticed(DRIFTED, seen(None, at("b"))), at("b"), START, EVERY)
    assert noticed(known, seen("two")).problem is None


def test_a_run_in_vain() -> None:
    """A run whose end could not be read leaves what was recorded before."""
    assert recorded(LEVEL, seen(None, at("b"))).recorded == LEVEL.recorded


def test_events() -> None:
    """Each fingerprint that was not recorded gives one event, and the way back gives one."""
    assert kinds(LEVEL, DRIFTED) == [Kind.TARGET_DRIFTED]
    assert kinds(DRIFTED, noticed(DRIFTED, seen("two"))) == []
    assert kinds(DRIFTED, noticed(DRIFTED, seen("three"))) == [Kind.TARGET_DRIFTED]
    assert kinds(DRIFTED, noticed(DRIFTED, seen("one"))) == [Kind.TARGET_RESTORED]
    assert kinds(DRIFTED, noticed(DRIFTED, seen(None))) == []
    assert kinds(DRIFTED, noticed(DRIFTED, seen("two", at("b")))) == []
    assert kinds(LEVEL, noticed(LEVEL, seen("one"))) == []


def test_the_event_tells_the_difference() -> None:
    """The event of drift has both fingerprints, the heads, and the lines."""
    (draft,) = news(LEVEL, DRIFTED, TARGET)
    assert draft.data == {
        "heads": ["a"],
        "recorded": "one",
        "found": "two",
        "difference": ("+ table x",),
        "message": "+ table x",
    }


def test_lines_stay_while_nothing_changed() -> None:
    """A difference is worked out once for each pair of fingerprints."""
    assert noticed(DRIFTED, seen("two")).difference == ("+ table x",)
    assert noticed(DRIFTED, seen("three")).difference == ()


def test_what_is_shown() -> None:
    """A target at head that drifted is `drifted`; the problem tells how, and what to do."""
    found = shown(Status.CURRENT, DRIFTED)
    assert (found.status, found.drift) == (Status.DRIFTED, ("+ table x",))
    assert found.problem == (
        "db-1: drifted from what was recorded at a: + table x; put it right, or accept it with "
        "levelhead stamp db-1 a"
    )
    assert shown(Status.CURRENT, LEVEL) == shown(Status.CURRENT, NOTHING)


@pytest.mark.parametrize("status", [Status.BEHIND, Status.HELD, Status.AHEAD])
def test_other_statuses_stay(status: Status) -> None:
    """What keeps a target from head goes before its drift, which is told all the same."""
    found = shown(status, DRIFTED, problem="db-1: stuck")
    assert (found.status, found.drift) == (status, ("+ table x",))
    assert str(found.problem).startswith("db-1: stuck; db-1: drifted from")


def test_what_is_out_of_sight() -> None:
    """Nothing is said of the schema of a target that is not reachable, or was moved since."""
    assert shown(Status.UNREACHABLE, DRIFTED).drift == ()
    assert shown(Status.CURRENT, DRIFTED, heads=at("b")).status is Status.CURRENT


def test_few_lines_are_told() -> None:
    """A problem tells three lines of a difference."""
    assert shortened(("1", "2", "3")) == "1; 2; 3"
    assert shortened(("1", "2", "3", "4")) == "1; 2; 3; ..."
