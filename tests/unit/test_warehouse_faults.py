from __future__ import annotations

import threading

import pytest

from providers.databricks.warehouse.faults import (
    Fault,
    FaultKind,
    Faults,
    RefusedError,
    State,
)


class Clock:
    """Seconds that pass when told to."""

    now = 0.0

    def __call__(self) -> float:
        """Return the seconds that passed."""
        return self.now


class Cancelled(threading.Event):
    """Tells when somebody looks at it."""

    def __init__(self) -> None:
        super().__init__()
        self.watched = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait, as events do."""
        self.watched.set()
        return super().wait(timeout)


@pytest.fixture
def clock() -> Clock:
    """Give the clock of the faults."""
    return Clock()


@pytest.fixture
def stops() -> list[None]:
    """Give what grows with each stop of the warehouse."""
    return []


@pytest.fixture
def faults(clock: Clock, stops: list[None]) -> Faults:
    """Give faults of which none is planned."""
    return Faults(clock, lambda: stops.append(None))


def test_a_fault_is_used_as_often_as_it_says(faults: Faults) -> None:
    """After its times it is over; without times it stays."""
    faults.add(Fault(FaultKind.SLOW, times=2))
    faults.add(Fault(FaultKind.CUT_AFTER))
    assert [bool(faults.take(FaultKind.SLOW, "SELECT 1")) for _ in range(3)] == [True, True, False]
    assert all(faults.take(FaultKind.CUT_AFTER, "SELECT 1") for _ in range(3))


def test_a_fault_waits_for_its_statement(faults: Faults) -> None:
    """Others pass, and so do requests without a statement."""
    faults.add(Fault(FaultKind.UNAVAILABLE, matching="ALTER"))
    faults.admit()
    assert faults.take(FaultKind.UNAVAILABLE, "SELECT 1") is None
    assert faults.take(FaultKind.UNAVAILABLE, "/* t */ ALTER TABLE a") is not None


def test_unavailable_ends_with_its_time(faults: Faults, clock: Clock) -> None:
    """Requests are refused until then."""
    faults.add(Fault(FaultKind.UNAVAILABLE, seconds=60))
    clock.now = 59.0
    with pytest.raises(RefusedError, match="503"):
        faults.admit()
    clock.now = 60.0
    faults.admit()


def test_a_stopped_warehouse_starts_with_the_first_request(
    faults: Faults, clock: Clock, stops: list[None]
) -> None:
    """Asking for its state does not start it; its sessions are forgotten once."""
    faults.add(Fault(FaultKind.STOPPED, seconds=5))
    assert faults.state() is State.STOPPED
    with pytest.raises(RefusedError, match="503"):
        faults.admit()
    assert faults.state() is State.STARTING
    clock.now = 5.0
    faults.admit()
    assert faults.state() is State.RUNNING
    assert len(stops) == 1


def test_a_statement_waits_its_time(faults: Faults, clock: Clock) -> None:
    """It goes on when the seconds are over; others do not wait."""
    never = Cancelled()
    faults.add(Fault(FaultKind.SLOW, seconds=5, matching="ALTER"))
    faults.hold_up(FaultKind.SLOW, "SELECT 1", never)
    waiting = _held_up(faults, never)
    clock.now = 5.0
    waiting.join(10)
    assert not waiting.is_alive()


@pytest.mark.parametrize("way", ["cleared", "cancelled"])
def test_without_seconds_it_waits_to_be_let_go(faults: Faults, clock: Clock, way: str) -> None:
    """Whoever clears the faults lets it go on; so does whoever cancels it."""
    faults.add(Fault(FaultKind.SLOW, matching="ALTER"))
    cancelled = Cancelled()
    waiting = _held_up(faults, cancelled)
    clock.now = 1e9
    waiting.join(0.2)
    assert waiting.is_alive()
    (cancelled.set if way == "cancelled" else faults.clear)()
    waiting.join(10)
    assert not waiting.is_alive()


def _held_up(faults: Faults, cancelled: Cancelled) -> threading.Thread:
    """Return a thread that waits, for an ALTER."""
    given = (FaultKind.SLOW, "ALTER TABLE a", cancelled)
    waiting = threading.Thread(target=faults.hold_up, args=given, daemon=True)
    waiting.start()
    assert cancelled.watched.wait(10)
    return waiting


def test_cleared_faults_are_gone(faults: Faults) -> None:
    """Tokens are good again, and a stopped warehouse runs."""
    faults.add(Fault(FaultKind.EXPIRED_TOKEN))
    faults.add(Fault(FaultKind.STOPPED))
    with pytest.raises(RefusedError, match="403"):
        faults.admit()
    faults.clear()
    faults.admit()
