"""What every part of the engine works with, put together once by `sync.composition`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sync.canary import Canaries
from sync.events.log import EventLog
from sync.gate import Gate
from sync.histories import Histories
from sync.lease import Leases
from sync.lints import Lints
from sync.plan.processes import Runners
from sync.plans import Plans
from sync.pool import Providers
from sync.sights import Sights
from sync.status import Patience
from sync.store.engine import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The parts, and the limits, that checks and runs share."""

    store: Store
    log: EventLog
    leases: Leases
    providers: Providers
    histories: Histories
    runners: Runners
    plans: Plans
    lints: Lints
    gate: Gate
    sights: Sights
    canaries: Canaries
    patience: Patience
    heartbeat: timedelta  #: how often a lease is renewed during an act
    drift_every: timedelta | None  #: from one look at a schema to the next; None: never
    clock: Callable[[], datetime]
