from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256

import pytest

from providers.errors import ConnectionLostError, StatementError
from providers.types import Outcome
from sync.errors import (
    ControlDatabaseError,
    LeaseLostError,
    RunnerLostError,
    ScriptError,
)
from sync.events.chain import Event
from sync.events.kinds import Kind
from sync.events.log import EventLog
from sync.journal import Doubt, Journal
from sync.lease import Lease, Leases
from sync.model import EventQuery
from sync.store import statements
from sync.store.engine import Store
from tests.support.control import Clock, Ids, a_run, alter
from tests.support.proxy import Loss, Proxy

TTL = timedelta(minutes=1)
SQL = "CREATE INDEX CONCURRENTLY i ON t (c)"


@dataclass(frozen=True)
class Service:
    """One service on a control database."""

    store: Store
    log: EventLog
    name: str = "one"

    async def journal(self, run: str = "run-1", ttl: timedelta = TTL) -> Journal:
        """Lease the target for a new run, and return its journal."""
        leases = Leases(self.store, holder=self.name, ttl=ttl)
        async with self.store.writing() as connection:
            lease = await leases.acquire(connection, "orders-eu", run)
        assert isinstance(lease, Lease)
        return Journal(self.store, self.log, leases, lease=lease, run=a_run(id=run))

    async def events(self) -> tuple[Event, ...]:
        """Return the whole log, verified."""
        assert await self.log.verify() >= 0
        return await self.log.page(EventQuery())


@pytest.fixture
def service(store: Store, log: EventLog) -> Service:
    """Give a service on a control database of each kind."""
    return Service(store, log)


async def next_run(service: Service, run: str = "run-2") -> Journal:
    """Return the journal of a run that comes after a crash."""
    await Leases(service.store, holder="", ttl=TTL).abandon_all()
    return await service.journal(run)


async def leave_in_doubt(journal: Journal, **facts: str) -> None:
    """Begin a statement, and lose the connection."""
    with pytest.raises(ConnectionLostError):
        async with journal.action("statement", revision="a1", sqls=[SQL], **facts):
            raise ConnectionLostError("no answer", target="orders-eu")


async def test_intent_is_stored_before_the_act(service: Service) -> None:
    """While the act goes on, the log tells what was about to happen, and under which ticket."""
    journal = await service.journal()
    async with journal.action("statement", revision="a1", sqls=[SQL], index=3) as action:
        (intent,) = await service.events()
    digest = sha256(SQL.encode()).hexdigest()
    assert (intent.kind, intent.ticket) == (Kind.STATEMENT_STARTED, action.ticket)
    assert (intent.actor, intent.target, intent.history) == ("ada", "orders-eu", "app")
    assert (intent.run, intent.revision) == ("run-1", "a1")
    assert intent.data == {"index": 3, "statements": [digest]}
    async with service.store.reading() as connection:
        assert await statements.find(connection, digest) == SQL


async def test_success_is_stored_after_the_act(service: Service) -> None:
    """The end of an act bears the ticket of its beginning, and what was noted."""
    journal = await service.journal()
    async with journal.action("step", revision="a1") as action:
        action.note(elapsed_ms=12)
        action.note(heads=["a1"])
    started, ended = await service.events()
    assert (started.kind, ended.kind) == (Kind.STEP_STARTED, Kind.STEP_SUCCEEDED)
    assert (started.ticket, started.revision) == (ended.ticket, ended.revision)
    assert ended.data == {"elapsed_ms": 12, "heads": ["a1"]}


async def test_acts_within_acts(service: Service) -> None:
    """Acts nest, each with a ticket of its own."""
    journal = await service.journal()
    async with journal.action("run", plan="digest"), journal.action("step", revision="a1"):
        pass
    events = await service.events()
    assert [event.kind for event in events] == [
        Kind.RUN_STARTED,
        Kind.STEP_STARTED,
        Kind.STEP_SUCCEEDED,
        Kind.RUN_SUCCEEDED,
    ]
    assert events[0].ticket == events[3].ticket != events[1].ticket == events[2].ticket


async def test_failure_names_the_statement(service: Service) -> None:
    """An act that the database refused is told with code, objects and failing statement."""
    journal = await service.journal()
    error = StatementError(
        "duplicate key", target="orders-eu", code="23505", sql=SQL, objects={"table": "t"}
    )

    async def fail() -> None:
        async with journal.action("transaction") as action:
            action.note(elapsed_ms=1)
            raise error

    with pytest.raises(StatementError) as caught:
        await fail()
    assert caught.value is error
    _, ended = await service.events()
    digest = sha256(SQL.encode()).hexdigest()
    assert ended.kind is Kind.TRANSACTION_FAILED
    assert ended.data == {
        "elapsed_ms": 1,
        "error": "StatementError",
        "message": "orders-eu: duplicate key",
        "code": "23505",
        "objects": {"table": "t"},
        "statement": digest,
    }
    async with service.store.reading() as connection:
        assert await statements.find(connection, digest) == SQL


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ScriptError("line 3", history="app"), {"message": "history app: line 3"}),
        (ValueError("hunter2"), {}),
        (StatementError("no", target="t"), {"message": "t: no", "code": None, "objects": {}}),
    ],
    ids=["ours", "not ours", "bare"],
)
async def test_failure_tells_no_secret(
    service: Service, error: Exception, told: dict[str, object]
) -> None:
    """The text of an error is stored only where it is one of ours, which hold no secrets."""
    journal = await service.journal()
    with pytest.raises(type(error)):
        async with journal.action("stamp"):
            raise error
    _, ended = await service.events()
    assert ended.kind is Kind.STAMP_FAILED
    assert ended.data == {"error": type(error).__name__, **told}


class Stopped(BaseException):
    """What ends a program is no Exception."""


@pytest.mark.parametrize(
    "error",
    [
        ConnectionLostError("no answer", target="orders-eu"),
        RunnerLostError("it ended without a word"),
        ExceptionGroup("two", [ValueError(), ConnectionLostError("no", target="orders-eu")]),
        asyncio.CancelledError(),
        Stopped(),
    ],
    ids=["connection", "runner", "group", "cancelled", "stopped"],
)
async def test_lost_act_stays_in_doubt(service: Service, error: BaseException) -> None:
    """Where nobody knows what became of an act, its end says so, and it is a doubt."""
    journal = await service.journal()
    with pytest.raises(type(error)):
        async with journal.action("statement", sqls=[SQL]):
            raise error
    _, ended = await service.events()
    assert ended.kind is Kind.STATEMENT_INTERRUPTED
    assert len(await (await next_run(service)).doubts()) == 1


async def test_cancelled_task_still_writes_the_end(service: Service) -> None:
    """Cancelling again and again, while the end is being stored, does not lose the end."""
    journal = await service.journal()
    inside = asyncio.Event()

    async def act() -> None:
        async with journal.action("statement", sqls=[SQL]):
            inside.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(act())
    await inside.wait()
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
    assert task.cancelled()
    _, ended = await service.events()
    assert ended.kind is Kind.STATEMENT_INTERRUPTED


async def test_cancelled_after_success(service: Service) -> None:
    """A cancellation that comes while a success is being stored comes through afterwards."""
    journal = await service.journal()

    async def act() -> None:
        async with journal.action("statement"):
            asyncio.get_running_loop().call_soon(task.cancel)

    task = asyncio.create_task(act())
    with pytest.raises(asyncio.CancelledError):
        await task
    _, ended = await service.events()
    assert ended.kind is Kind.STATEMENT_SUCCEEDED


async def test_overtaken_service_does_nothing_more(service: Service) -> None:
    """After a takeover the old holder's next act does not happen, and leaves no intent."""
    old = await service.journal(ttl=timedelta(0))
    await replace(service, name="two").journal("run-2")
    happened = False
    with pytest.raises(LeaseLostError):
        async with old.action("statement", sqls=[SQL]):
            happened = True
    assert not happened
    assert await service.events() == ()
    async with service.store.reading() as connection:
        assert await statements.find(connection, statements.digest_of(SQL)) is None


async def test_end_is_a_fact_without_a_lease(service: Service) -> None:
    """What an overtaken service did before is told, although it holds nothing any more."""
    old = await service.journal(ttl=timedelta(0))
    async with old.action("statement"):
        await replace(service, name="two").journal("run-2")
    assert [event.kind for event in await service.events()] == [
        Kind.STATEMENT_STARTED,
        Kind.STATEMENT_SUCCEEDED,
    ]


async def test_intent_renews_the_lease(service: Service) -> None:
    """Whoever acts needs no heartbeat: each intent renews the lease."""
    journal = await service.journal(ttl=timedelta(0))
    before = journal._lease.expires_at
    async with journal.action("statement"):
        assert journal._lease.expires_at > before


async def test_act_that_cannot_be_stored_does_not_happen(service: Service) -> None:
    """Where the control database refuses the intent, the act does not happen."""
    journal = await service.journal()
    await alter(service.store, "ALTER TABLE intents RENAME TO gone")
    happened = False
    with pytest.raises(ControlDatabaseError):
        async with journal.action("statement"):
            happened = True
    assert not happened
    assert await service.events() == ()


async def test_end_that_cannot_be_stored_is_a_doubt(service: Service) -> None:
    """Where the control database refuses the end of an act, the act is in doubt."""
    journal = await service.journal()
    with pytest.raises(ControlDatabaseError):
        async with journal.action("statement"):
            await alter(service.store, "ALTER TABLE chain_head RENAME TO gone")
    await alter(service.store, "ALTER TABLE gone RENAME TO chain_head")
    (doubt,) = await (await next_run(service)).doubts()
    assert doubt.noun == "statement"


async def test_error_of_the_act_comes_before_that_of_the_log(service: Service) -> None:
    """If an act fails and that cannot be stored, the caller hears of both, the act's first."""
    journal = await service.journal()

    async def fail() -> None:
        async with journal.action("statement"):
            await alter(service.store, "ALTER TABLE chain_head RENAME TO gone")
            raise StatementError("no", target="orders-eu")

    with pytest.raises(StatementError) as caught:
        await fail()
    assert "not in the audit log" in caught.value.__notes__[0]


async def test_doubts_are_found_oldest_first(service: Service) -> None:
    """The next run finds what earlier runs left open, and nothing else."""
    first = await service.journal()
    async with first.action("run", plan="p"):
        await leave_in_doubt(first, index="1")
        async with first.action("statement"):
            pass
    second = await next_run(service)
    await leave_in_doubt(second, index="2")
    assert [doubt.run for doubt in await second.doubts()] == ["run-1"]
    third = await next_run(service, "run-3")
    one, two = await third.doubts()
    assert [one.facts, two.facts] == [{"index": "1"}, {"index": "2"}]
    assert one == Doubt(
        noun="statement",
        ticket=one.ticket,
        run="run-1",
        revision="a1",
        facts={"index": "1"},
        statements=(statements.digest_of(SQL),),
        sqls=(SQL,),
    )


async def test_kill_leaves_a_doubt(service: Service) -> None:
    """An intent without any end, as after kill -9, is a doubt."""
    journal = await service.journal()
    action = journal.action("run", plan="digest", after=["a1"])
    await action.__aenter__()
    (doubt,) = await (await next_run(service)).doubts()
    assert (doubt.noun, doubt.facts) == ("run", {"plan": "digest", "after": ["a1"]})
    assert doubt.statements == doubt.sqls == ()
    await action.__aexit__(None, None, None)


@pytest.mark.parametrize("outcome", Outcome)
async def test_resolved_doubt(service: Service, outcome: Outcome) -> None:
    """A resolution is an event of the run in doubt; it ends the doubt unless it says unknown."""
    await leave_in_doubt(await service.journal())
    second = await next_run(service)
    (doubt,) = await second.doubts()
    await second.resolve(doubt, outcome)
    event = (await service.events())[-1]
    assert (event.kind, event.ticket) == (Kind.STATEMENT_RESOLVED, doubt.ticket)
    assert (event.run, event.revision) == ("run-1", "a1")
    assert event.data == {"outcome": outcome.value, "resolver": "run-2"}
    left = (doubt,) if outcome in {Outcome.RUNNING, Outcome.UNKNOWN} else ()
    assert await second.doubts() == left


async def test_overtaken_service_resolves_nothing(service: Service) -> None:
    """Only who holds the target may say what became of a doubt."""
    await leave_in_doubt(await service.journal(ttl=timedelta(0)))
    old = await service.journal("run-2", ttl=timedelta(0))
    (doubt,) = await old.doubts()
    await replace(service, name="two").journal("run-3")
    with pytest.raises(LeaseLostError):
        await old.resolve(doubt, Outcome.ABSENT)
    assert len(await service.events()) == 2


@pytest.mark.parametrize("control_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (Loss.ANSWER, [Kind.STATEMENT_STARTED, Kind.STATEMENT_SUCCEEDED]),
        (Loss.COMMIT, []),
    ],
    ids=["answer", "commit"],
)
async def test_intent_whose_commit_is_in_doubt(
    control_url: str, clock: Clock, loss: Loss, expected: list[Kind]
) -> None:
    """The act happens if its intent was stored after all, and does not if it was not."""
    proxy = Proxy(control_url)
    async with proxy.listening(), Store.open(proxy.url, clock=clock) as store:
        service = Service(store, EventLog(store, clock=clock, new_id=Ids()))
        journal = await service.journal()
        proxy.loss = loss
        happened = await attempt(journal)
        assert happened is bool(expected)
        assert [event.kind for event in await service.events()] == expected


async def attempt(journal: Journal) -> bool:
    """Tell whether an act happens."""
    try:
        async with journal.action("statement", sqls=[SQL]):
            return True
    except ControlDatabaseError:
        return False
