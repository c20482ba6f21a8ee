"""What looking at targets takes. A run takes more, which is slow to import: `sync.engine`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sync.events.log import EventLog
from sync.histories import Histories
from sync.pool import Providers
from sync.sights import Sights
from sync.status import Patience
from sync.store.engine import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """The parts, and the limits, of whoever looks at targets and writes down what is there."""

    store: Store
    log: EventLog
    providers: Providers
    histories: Histories
    sights: Sights
    patience: Patience
    drift_every: timedelta | None  #: from one look at a schema to the next; None: never
    clock: Callable[[], datetime]


def now() -> datetime:
    """Return the time, aware and in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """Return an id that was never given before."""
    return uuid4().hex
