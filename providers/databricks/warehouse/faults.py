"""What can go wrong on request: for tests of those who talk to a warehouse."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import inf


class FaultKind(StrEnum):
    """What goes wrong."""

    #: Requests are answered 503; with `matching`, those that carry such a statement.
    UNAVAILABLE = "unavailable"
    #: The connection breaks; the statement never runs.
    CUT_BEFORE = "cut_before"
    #: The statement takes effect, and the connection breaks instead of a reply.
    CUT_AFTER = "cut_after"
    #: The statement waits `seconds` before it runs, or until the faults are cleared. It can be
    #: cancelled meanwhile.
    SLOW = "slow"
    #: The statement takes effect, and its reply waits as long.
    SLOW_REPLY = "slow_reply"
    #: The statement fails as if a commit of another writer to the table's schema came first.
    OVERTAKEN = "overtaken"
    #: The statement takes effect, and fails for what Delta does after a commit.
    HOOK_FAILED = "hook_failed"
    #: Requests are answered 403.
    EXPIRED_TOKEN = "expired_token"  # noqa: S105 - the name of a fault
    #: The warehouse is no more: requests are answered 404.
    DELETED = "deleted"
    #: The warehouse stops and forgets its sessions. The next request starts it, which takes
    #: `seconds`, and until then requests are answered 503.
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; it stays until it is used up or cleared."""

    kind: FaultKind
    seconds: float = 0  #: 0: UNAVAILABLE, SLOW and SLOW_REPLY do not end by themselves
    matching: str = ""  #: regular expression, searched in the statement; empty: any statement
    times: int | None = None  #: uses after which it ends; None: as many as there are


#: Seconds between two looks whether a statement that waits may go on.
_LOOK = 0.05


class State(StrEnum):
    """Of a warehouse; page "api/workspace/warehouses/get"."""

    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
    STARTING = "STARTING"


class RefusedError(Exception):
    """A request is answered with a status of HTTP instead of a result."""

    def __init__(self, status: int, reason: str, body: bytes = b"") -> None:
        self.status = status
        self.reason = reason
        self.body = body  #: JSON, for those who read no header
        super().__init__(f"{status} {reason}")


class CutError(Exception):
    """A request is answered by closing its connection."""


@dataclass(slots=True)
class _Planned:
    fault: Fault
    left: int | None
    ends: float | None  #: by the monotonic clock


class Faults:
    """The faults that are planned; safe to use from several threads."""

    def __init__(self, monotonic: Callable[[], float], on_stop: Callable[[], None]) -> None:
        """Start without faults.

        Args:
            monotonic: Seconds; only differences count.
            on_stop: Called when the warehouse stops.
        """
        self._monotonic = monotonic
        self._on_stop = on_stop
        self._lock = threading.Lock()
        self._planned: list[_Planned] = []
        self._cleared = threading.Event()  #: is set when what is planned now is forgotten
        self._start_takes = 0.0
        self._state = State.RUNNING
        self._ready_at = 0.0

    def add(self, fault: Fault) -> None:
        """Plan *fault*, after those planned before."""
        with self._lock:
            if fault.kind is FaultKind.STOPPED:
                self._state, self._start_takes = State.STOPPED, fault.seconds
            else:
                lasts = fault.kind is FaultKind.UNAVAILABLE and fault.seconds
                ends = self._monotonic() + fault.seconds if lasts else None
                self._planned.append(_Planned(fault, fault.times, ends))
        if fault.kind is FaultKind.STOPPED:
            self._on_stop()

    def clear(self) -> None:
        """Forget all faults: what waits goes on, and a warehouse that stopped runs again."""
        with self._lock:
            self._planned.clear()
            self._cleared.set()
            self._cleared = threading.Event()
            self._state = State.RUNNING

    def take(self, kind: FaultKind, statement: str = "") -> Fault | None:
        """Return the next fault of *kind* that fits, and count the use; None where none does."""
        with self._lock:
            return self._next(kind, statement)

    def hold_up(self, kind: FaultKind, statement: str, cancelled: threading.Event) -> None:
        """Return when the next fault of *kind* that fits has made *statement* wait; count it.

        At once where none does; sooner where the faults are cleared or *cancelled* is set.
        """
        with self._lock:
            fault, cleared = self._next(kind, statement), self._cleared
        if fault is None:
            return
        ends = self._monotonic() + (fault.seconds or inf)
        while not cleared.is_set() and (left := ends - self._monotonic()) > 0:
            if cancelled.wait(min(left, _LOOK)):
                return

    def admit(self) -> None:
        """Let a request in. Raises RefusedError where it is answered by a status."""
        if self.take(FaultKind.EXPIRED_TOKEN):
            raise RefusedError(403, "Access token expired.")
        if self.take(FaultKind.DELETED):
            raise RefusedError(404, "There is no such warehouse.")
        if self.take(FaultKind.UNAVAILABLE) or self.wake() is not State.RUNNING:
            raise RefusedError(503, "The warehouse is not available.")

    def state(self) -> State:
        """Return how the warehouse is, without starting it."""
        with self._lock:
            if self._state is State.STARTING and self._monotonic() >= self._ready_at:
                self._state = State.RUNNING
            return self._state

    def wake(self) -> State:
        """Start the warehouse where it stopped, and return how it is."""
        with self._lock:
            if self._state is State.STOPPED:
                self._state = State.STARTING
                self._ready_at = self._monotonic() + self._start_takes
        return self.state()

    def _next(self, kind: FaultKind, statement: str) -> Fault | None:
        self._planned = [each for each in self._planned if not self._is_over(each)]
        for each in self._planned:
            if each.fault.kind is kind and _fits(each.fault, statement):
                each.left = each.left - 1 if each.left is not None else None
                return each.fault
        return None

    def _is_over(self, planned: _Planned) -> bool:
        is_late = planned.ends is not None and self._monotonic() >= planned.ends
        return is_late or planned.left == 0


def _fits(fault: Fault, statement: str) -> bool:
    """A fault that names statements fits those alone; requests as such have none."""
    if not fault.matching:
        return True
    return bool(statement) and re.search(fault.matching, statement) is not None
