"""Puts the parts of the engine together, around a control database."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from uuid import uuid4

from sync.canary import Canaries
from sync.engine import Engine
from sync.events.log import EventLog
from sync.gate import Gate
from sync.histories import Histories, RecordedHistories
from sync.instruments import new_id, now
from sync.lease import Leases
from sync.lints import Lints, RecordedLints
from sync.lookout import patience_of, providers_for
from sync.plan.compiler import Compiler
from sync.plan.processes import Runners, runners_for
from sync.plans import Plans, RecordedPlans
from sync.settings import Settings
from sync.sights import Sights
from sync.store.engine import Store
from sync.trials import Trials

#: The lease is renewed this many times before it would run out.
BEATS = 3


@asynccontextmanager
async def acting(settings: Settings, store: Store) -> AsyncIterator[Engine]:
    """Put the parts together around a control database that may be written."""
    log = EventLog(store, clock=now, new_id=new_id)
    runners = runners_for(settings)
    histories = RecordedHistories(
        settings.histories, ask=runners.graph, store=store, log=log, clock=now
    )
    lints = RecordedLints(histories, store)

    def plans(compiler: Compiler) -> Plans:
        return RecordedPlans(compiler, histories, lints, store, log=log, clock=now)

    async with engine_of(settings, log, runners, histories, lints=lints, plans=plans) as engine:
        yield engine


@asynccontextmanager
async def reading(settings: Settings, store: Store) -> AsyncIterator[Engine]:
    """Put the parts together around a control database that is only read."""
    log = EventLog(store, clock=now, new_id=new_id)
    runners = runners_for(settings)
    histories = Histories(settings.histories, ask=runners.graph, store=store)
    lints = Lints(histories, store)

    def plans(compiler: Compiler) -> Plans:
        return Plans(compiler, histories, lints, store)

    async with engine_of(settings, log, runners, histories, lints=lints, plans=plans) as engine:
        yield engine


@asynccontextmanager
async def engine_of(
    settings: Settings,
    log: EventLog,
    runners: Runners,
    histories: Histories,
    *,
    lints: Lints,
    plans: Callable[[Compiler], Plans],
) -> AsyncIterator[Engine]:
    """Put the parts together, and close the providers after the block."""
    lease = settings.control.lease
    leases = Leases(log.store, holder=holder_name(), ttl=lease)
    async with aclosing(providers_for(settings)) as providers:
        yield Engine(
            store=log.store,
            log=log,
            leases=leases,
            providers=providers,
            histories=histories,
            runners=runners,
            plans=plans(Compiler(runners, providers)),
            lints=lints,
            gate=Gate(log.store, four_eyes=settings.approval.four_eyes),
            sights=Sights(log.store),
            canaries=Canaries(log, leases, Trials(runners, providers), clock=now),
            patience=patience_of(settings),
            heartbeat=lease / BEATS,
            drift_every=settings.schedule.drift_every,
            clock=now,
        )


def holder_name() -> str:
    """Return a name that no other service has."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
