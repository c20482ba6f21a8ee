"""Public histories, unmodified: plans leave on five databases what Alembic leaves on one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sync.model import Order, Run, RunState, Selection, Verb
from sync.plan.model import Plan, StepClass
from sync.runtime import Runtime
from tests.support.dumps import dump
from tests.support.engine import events, opened_runtime, ordered, version
from tests.support.history_tables import END, PAGE, row, told
from tests.support.postgres import Databases
from tests.support.public_histories import HISTORIES, PublicHistory

COUNT = 5

COMMANDS = {Verb.SYNC: "upgrade", Verb.DOWNGRADE: "downgrade"}


@dataclass(frozen=True, slots=True)
class Fleet:
    """Databases of one history: *plain* belongs to Alembic itself, the others to the engine."""

    history: PublicHistory
    runtime: Runtime
    plain: str = field(repr=False)
    urls: Sequence[str] = field(repr=False)

    async def go(self, verb: Verb, to: str) -> tuple[Plan, set[str | None]]:
        """Bring all to *to*, and require them to be equal then.

        Return the plan, and the revisions whose scripts ran against a target; on the others
        all were replayed. A catalog step's script runs where a schema is not the shadow's.
        """
        await self.history.migrate_plainly(self.plain, COMMANDS[verb], to)
        previews = await self.runtime.previews.of(Order(verb, to), Selection())
        (plan,) = {preview.plan for preview in previews}
        assert plan, previews[0].problem
        runs = await ordered(self.runtime, verb, to)
        assert [(run.state, run.error, run.plan) for run in runs] == [
            (RunState.SUCCEEDED, None, plan.digest)
        ] * COUNT
        ran = [await self.scripts_of(run) for run in runs]
        assert all(of_class(plan, StepClass.LIVE) <= scripts for scripts in ran)
        await self.compare()
        return plan, set().union(*ran)

    async def scripts_of(self, run: Run) -> set[str | None]:
        """Return the revisions whose scripts ran against the target of *run*."""
        found = await events(self.runtime, run=run.id)
        return {
            event.revision
            for event in found
            if event.kind == "transaction.started" and event.data["stamped"] is True
        }

    async def compare(self) -> None:
        """Require schema, rows and version rows to be those that Alembic left."""
        expected = await self.contents(self.plain)
        for url in self.urls:
            assert await self.contents(url) == expected

    async def contents(self, url: str) -> tuple[str, str, set[object]]:
        """Return schema and rows of a database, and where it stands."""
        table = self.history.version_table
        rows = await dump(url, "--data-only", f"--exclude-table-data={table}")
        return await dump(url, "--schema-only"), rows, await version(url, table)

    async def release(self) -> None:
        """Let all targets go up again after a person has taken them down."""
        for place in range(1, COUNT + 1):
            await self.runtime.release(f"db-{place}", actor="ada")


def of_class(plan: Plan, *kinds: StepClass) -> set[str | None]:
    """Return the revisions of these classes."""
    return {step.revision for step in plan.steps if step.kind in kinds}


@pytest.mark.histories
@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.name)
async def test_equals_alembic(history: PublicHistory, databases: Databases, tmp_path: Path) -> None:
    """Up, down and up again, plans leave what Alembic leaves; the page tells their classes."""
    await history.prepare()
    plain, *urls = await databases(COUNT + 1)
    async with opened_runtime(history.settings(tmp_path, urls)) as runtime:
        fleet = Fleet(history, runtime, plain, urls)
        plan, ran = await fleet.go(Verb.SYNC, "heads")
        assert ran == of_class(plan, StepClass.LIVE)
        down, ran = await fleet.go(Verb.DOWNGRADE, history.way_down)
        assert ran <= of_class(down, StepClass.LIVE, StepClass.CATALOG)
        await fleet.release()
        again, ran = await fleet.go(Verb.SYNC, "heads")
        assert ran <= of_class(again, StepClass.LIVE, StepClass.CATALOG)
    page = PAGE.read_text().partition(END)[0].splitlines()
    assert row(history, plan) in page
    assert [line for line in page if line.startswith(f"| {history.name} | `")] == [
        *told(history, plan)
    ]
