from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest
from sqlalchemy import text

from providers.errors import ConfigError
from providers.types import BASE
from sync.errors import ControlDatabaseError
from sync.history import Graph, Revision
from sync.model import (
    Hold,
    Order,
    Role,
    Rollout,
    Run,
    RunQuery,
    RunState,
    Skip,
    Status,
    Token,
    Verb,
)
from sync.store import histories, rollouts, runs, statements, targets, tokens
from sync.store.engine import Store
from sync.store.runs import RunChange
from sync.store.targets import TargetState
from tests.support.control import START, a_run


async def insert(store: Store, *new: Run) -> None:
    """Store runs."""
    async with store.writing() as connection:
        for run in new:
            await runs.insert(connection, run)


async def test_run_comes_back(store: Store) -> None:
    """A run is read as it was stored; what is not known yet differs from base."""
    new = a_run()
    over = a_run(
        id="run-2",
        order=Order(Verb.DOWNGRADE, "-1"),
        state=RunState.FAILED,
        ended_at=START + timedelta(microseconds=1),
        plan="digest",
        before=frozenset({"b", "a"}),
        after=BASE,
        error="it was refused",
    )
    await insert(store, new, over)
    async with store.reading() as connection:
        assert await runs.find(connection, new.id) == new
        assert await runs.find(connection, over.id) == over
        assert await runs.find(connection, "run-3") is None


async def test_run_changes(store: Store) -> None:
    """A change sets what it names and leaves the rest; success takes an error away."""
    await insert(store, a_run())
    failed = RunChange(state=RunState.INTERRUPTED, before=BASE, error="the runner was lost")
    settled = RunChange(state=RunState.SUCCEEDED, after=frozenset({"a"}), ended_at=START)
    async with store.writing() as connection:
        await runs.update(connection, "run-1", failed)
        interrupted = await runs.find(connection, "run-1")
        await runs.update(connection, "run-1", settled)
        succeeded = await runs.find(connection, "run-1")
    expected = a_run(state=RunState.INTERRUPTED, before=BASE, error="the runner was lost")
    assert interrupted == expected
    assert succeeded == replace(
        expected,
        state=RunState.SUCCEEDED,
        after=frozenset({"a"}),
        ended_at=START,
        error=None,
    )


async def test_change_of_no_run(store: Store) -> None:
    """A change to a run that is not there does not pass unseen."""
    with pytest.raises(ControlDatabaseError, match="no run nobody"):
        async with store.writing() as connection:
            await runs.update(connection, "nobody", RunChange(state=RunState.FAILED))


RUNS = (
    a_run(id="a", state=RunState.SUCCEEDED),
    a_run(id="c", target="billing", requested_at=START + timedelta(seconds=1)),
    a_run(id="b", requested_at=START + timedelta(seconds=1), state=RunState.RUNNING),
    a_run(id="d", history="other", rollout="r2", state=RunState.INTERRUPTED),
    a_run(id="e", requested_at=START - timedelta(days=1), state=RunState.FAILED),
)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (RunQuery(), "cbdae"),
        (RunQuery(limit=2), "cb"),
        (RunQuery(before="b", limit=2), "da"),
        (RunQuery(before="e"), ""),
        (RunQuery(before="nobody"), ""),
        (RunQuery(target="orders-eu"), "bdae"),
        (RunQuery(history="other"), "d"),
        (RunQuery(state=RunState.SUCCEEDED), "a"),
        (RunQuery(rollout="r2"), "d"),
        (RunQuery(target="orders-eu", before="d"), "ae"),
    ],
    ids=str,
)
async def test_page_of_runs(store: Store, query: RunQuery, expected: Sequence[str]) -> None:
    """A page holds what matches every filter, newest first, whatever was stored first."""
    await insert(store, *RUNS)
    async with store.reading() as connection:
        assert [run.id for run in await runs.page(connection, query)] == list(expected)


async def test_runs_by_the_beginning_of_their_ids(store: Store) -> None:
    """The beginning of an id finds its runs, two of them at the most, and is taken literally."""
    await insert(store, a_run(id="ab1"), a_run(id="ac1"), a_run(id="ac2"), a_run(id="b%"))
    async with store.reading() as connection:
        found = [await runs.starting_with(connection, of) for of in ("ab", "ac", "b%", "a%", "A")]
    assert [sorted(run.id for run in each) for each in found] == [
        ["ab1"],
        ["ac1", "ac2"],
        ["b%"],
        [],
        [],
    ]


async def test_open_and_last_runs(store: Store) -> None:
    """Runs without a known end are found, and the newest run of every target."""
    async with store.reading() as connection:
        assert await runs.open_runs(connection) == ()
        assert await runs.last_runs(connection) == {}
    await insert(store, *RUNS)
    async with store.reading() as connection:
        assert [run.id for run in await runs.open_runs(connection)] == ["d", "b", "c"]
        assert await runs.last_runs(connection) == {"orders-eu": "b", "billing": "c"}


async def test_rollout_comes_back(store: Store) -> None:
    """A rollout is found with its runs and with what it left out."""
    rollout = Rollout(
        id="rollout-1",
        actor="ada",
        order=Order(Verb.SYNC, "a1"),
        requested_at=START,
        skipped=(Skip("crm", "on hold"),),
    )
    of_it = [a_run(id="z", target="a"), a_run(id="y", target="b")]
    await insert(store, *of_it, a_run(id="x", rollout="other"))
    async with store.writing() as connection:
        await rollouts.insert(connection, rollout)
        await rollouts.skip(connection, rollout.id, Skip("abc", "policy is off"))
    async with store.reading() as connection:
        found = await rollouts.find(connection, rollout.id)
        assert await rollouts.find(connection, "rollout-2") is None
    skipped = (Skip("abc", "policy is off"), Skip("crm", "on hold"))
    assert found == replace(rollout, runs=tuple(of_it), skipped=skipped)


FULL = TargetState(
    target="orders-eu",
    status=Status.HELD,
    heads=frozenset({"a", "b"}),
    checked_at=START,
    problem="it is on hold",
    passing="orders-eu: cannot be reached",
    hold=Hold("ada", "downgraded to a1", START),
    failed_scripts="digest",
    failures=3,
    retry_at=START + timedelta(minutes=1),
)


async def test_target_state_comes_back(store: Store) -> None:
    """A target's state is read as it was stored, and stored anew as a whole."""
    bare = TargetState(target="orders-eu", status=Status.UNKNOWN)
    empty = TargetState(target="billing", status=Status.BEHIND, heads=BASE)
    async with store.writing() as connection:
        assert await targets.find_to_change(connection, "orders-eu") is None
        for state in (FULL, empty):
            await targets.save(connection, state)
    async with store.writing() as connection:
        assert await targets.find_to_change(connection, "orders-eu") == FULL
        assert await targets.all(connection) == (empty, FULL)
        await targets.save(connection, bare)
    async with store.reading() as connection:
        assert await targets.find(connection, "orders-eu") == bare
        assert await targets.find(connection, "crm") is None


async def test_looks_that_found_nothing_new_are_one_statement(store: Store) -> None:
    """Only the moment of the look is stored, of however many; who knows better is left alone."""
    many = [f"t{number}" for number in range(40_000)]
    states = {name: replace(FULL, target=name, checked_at=START) for name in many[:3]}
    later = START + timedelta(minutes=2)
    states["t2"] = replace(states["t2"], checked_at=later)
    async with store.writing() as connection:
        await targets.save(connection, *states.values())
        await targets.touch(connection, many, START + timedelta(minutes=1))
        await targets.touch(connection, [], later)
        found = await targets.all_to_change(connection, many)
    expected = [START + timedelta(minutes=1)] * 2 + [later]
    assert [found[name].checked_at for name in many[:3]] == expected
    assert replace(found["t0"], checked_at=START) == states["t0"]
    assert len(found) == 3


async def test_looks_in_moments_of_their_own(store: Store) -> None:
    """Each target gets the moment of its look; who knows better is left alone, or missing."""
    later = START + timedelta(minutes=1)
    async with store.writing() as connection:
        for name in ("a", "b"):
            await targets.save(connection, replace(FULL, target=name, checked_at=later))
        moments = {"a": START, "b": later + timedelta(seconds=1), "c": later}
        await targets.touch_each(connection, moments)
        await targets.touch_each(connection, {})
        found = await targets.all(connection)
    assert {state.target: state.checked_at for state in found} == {
        "a": later,
        "b": later + timedelta(seconds=1),
    }


async def test_target_state_read_to_change_is_not_overwritten(store: Store) -> None:
    """Of many that read a state in order to change it, none undoes another's change."""

    async def count() -> None:
        async with store.writing() as connection:
            state = await targets.find_to_change(connection, "orders-eu")
            assert state is not None
            await asyncio.sleep(0.01)
            await targets.save(connection, replace(state, failures=state.failures + 1))

    async with store.writing() as connection:
        await targets.save(connection, FULL)
    await asyncio.gather(*(count() for _ in range(10)))
    async with store.reading() as connection:
        found = await targets.find(connection, "orders-eu")
    assert found == replace(FULL, failures=FULL.failures + 10)


async def test_token_is_found_by_its_key(store: Store) -> None:
    """A key gives its token until it is revoked; the key itself is stored nowhere."""
    async with store.writing() as connection:
        key = await tokens.create(connection, "ci", Role.OPERATOR, now=START)
    token = Token(name="ci", role=Role.OPERATOR, created_at=START)
    revoked = replace(token, revoked_at=START + timedelta(days=1))
    async with store.reading() as connection:
        assert await tokens.find(connection, key) == token
        assert await tokens.find(connection, f"{key}x") is None
        assert await tokens.find(connection, "\ud800") is None
        row = (await connection.execute(text("SELECT * FROM tokens"))).one()
    assert key.startswith("lh_")
    assert len(key) >= 27
    assert not any(key[3:] in str(value) for value in row)
    async with store.writing() as connection:
        assert await tokens.revoke(connection, "ci", now=START + timedelta(days=1)) == revoked
        assert await tokens.revoke(connection, "ci", now=START + timedelta(days=2)) == revoked
        assert await tokens.find(connection, key) is None
        assert await tokens.list(connection) == (revoked,)


async def test_token_names(store: Store) -> None:
    """A name is given once, even after it was revoked; an unknown one is said to be unknown."""
    async with store.writing() as connection:
        first = await tokens.create(connection, "ci", Role.VIEWER, now=START)
        second = await tokens.create(connection, "ada", Role.ADMIN, now=START)
        assert first != second
        with pytest.raises(ConfigError, match="'ci' exists already; choose another name"):
            await tokens.create(connection, "ci", Role.VIEWER, now=START)
        with pytest.raises(ConfigError, match="'bob'; run levelhead token list"):
            await tokens.revoke(connection, "bob", now=START)
        assert [token.name for token in await tokens.list(connection)] == ["ada", "ci"]


async def test_statements_are_kept_once(store: Store) -> None:
    """A text is kept under its hash, once, and comes back to the letter."""
    sqls = ("SELECT 'ä'", "SELECT 1;\n-- done", "SELECT 'ä'")
    async with store.writing() as connection:
        digests = await statements.keep(connection, sqls)
        assert await statements.keep(connection, sqls) == digests
        assert await statements.keep(connection, ()) == ()
    assert digests == tuple(sha256(sql.encode()).hexdigest() for sql in sqls)
    async with store.reading() as connection:
        assert await statements.find(connection, digests[0]) == sqls[0]
        assert await statements.find(connection, "0" * 64) is None
        assert await statements.texts(connection, digests) == dict(zip(digests, sqls, strict=True))
        assert await connection.scalar(text("SELECT count(*) FROM statements")) == 2


def a_graph(*names: str) -> Graph:
    """Build a history in which each revision follows the one before."""
    found = {}
    parents: tuple[str, ...] = ()
    for name in names:
        found[name] = Revision(
            id=name,
            parents=parents,
            depends_on=("x",),
            labels=("feature",),
            message=f"Add {name}",
            file=f"{name}_add.py",
            digest=f"digest of {name}",
        )
        parents = (name,)
    return Graph("app", found, frozenset(names[-1:]), "digest", ("/srv/app/alembic",))


async def test_graph_comes_back(store: Store) -> None:
    """The last graph is read as it was stored, in the order of application."""
    graph = a_graph("c", "a", "b")
    async with store.writing() as connection:
        assert await histories.load_graph(connection, "app") is None
        await histories.save_graph(connection, a_graph("c"), now=START)
        await histories.save_graph(connection, graph, now=START)
    async with store.reading() as connection:
        found = await histories.load_graph(connection, "app")
        assert await histories.load_graph(connection, "other") is None
    assert found == graph
    assert list(found.revisions) == ["c", "a", "b"]


async def test_revisions_are_never_forgotten(store: Store) -> None:
    """A revision stays known after its file is gone, with the moment it was first seen."""
    async with store.writing() as connection:
        await histories.save_graph(connection, a_graph("a", "b"), now=START)
        await histories.save_graph(connection, a_graph("a"), now=START + timedelta(days=1))
    async with store.reading() as connection:
        assert await histories.known_revisions(connection, "app") == {"a", "b"}
        assert await histories.known_revisions(connection, "other") == frozenset()
        seen = await connection.scalars(text("SELECT DISTINCT first_seen FROM revisions"))
        assert list(seen) == ["2031-05-06T07:08:09.000010Z"]
