"""What every part of the engine works with, put together once by `sync.composition`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sync.canary import Canaries
from sync.gate import Gate
from sync.instruments import Instruments
from sync.lease import Leases
from sync.lints import Lints
from sync.plan.processes import Runners
from sync.plans import Plans


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine(Instruments):
    """What checks and runs share, and what only runs need."""

    leases: Leases
    runners: Runners
    plans: Plans
    lints: Lints
    gate: Gate
    canaries: Canaries
    heartbeat: timedelta  #: how often a lease is renewed during an act
