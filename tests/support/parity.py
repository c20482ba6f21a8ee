"""Plain Alembic on one database, the engine on another: what both leave must be equal."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from dataclasses import dataclass, field
from itertools import count

from providers.postgres.embedded import binaries_of
from providers.types import BASE, Heads
from sync.events.chain import Event
from sync.model import Order, Run, RunState, Verb
from sync.plan.compiler import Compiler
from sync.plan.model import Plan, Step, StepClass
from sync.plan.processes import runners_for
from sync.plan.route import Route
from sync.pool import Providers
from sync.runtime import Runtime
from sync.settings import Settings
from tests.support.engine import events, ordered_one, query, settings_for, status
from tests.support.histories import Scripts

#: The server that `tests.support.postgres` starts.
MAJOR = "15"

#: What pg_dump makes up anew for each dump.
PASSING = re.compile(r"^\\(un)?restrict .*\n", re.MULTILINE)

_numbers = count()


@dataclass(frozen=True, slots=True)
class Pair:
    """Two databases of one history: *plain* belongs to Alembic itself, *ours* to the engine."""

    scripts: Scripts
    runtime: Runtime
    plain: str = field(repr=False)
    ours: str = field(repr=False)
    driver: str = "psycopg"  #: for Alembic's own run
    version_table: str = "alembic_version"

    async def sync(self, to: str = "head") -> Run:
        """Upgrade both to *to*, and require them to be equal afterwards; return our run."""
        return await self._both(Verb.SYNC, "upgrade", to)

    async def downgrade(self, to: str) -> Run:
        """Downgrade both to *to*, and require them to be equal afterwards; return our run."""
        return await self._both(Verb.DOWNGRADE, "downgrade", to)

    async def _both(self, verb: Verb, command: str, to: str) -> Run:
        plain = alembic(self.scripts, self.plain, command, to, driver=self.driver)
        run, _ = await asyncio.gather(self._ours(verb, to), plain)
        assert (run.error, run.state) == (None, RunState.SUCCEEDED), run.error
        await self.compare()
        return run

    async def _ours(self, verb: Verb, to: str) -> Run:
        if (await status(self.runtime)).hold:  # the downgrade before was a person's
            await self.runtime.release("db-1", actor="ada")
        return await ordered_one(self.runtime, verb, to)

    async def compare(self) -> None:
        """Require schema, rows, sequences and version rows of both to be equal."""
        ours, plain = await asyncio.gather(
            *(state(url, self.version_table) for url in (self.ours, self.plain))
        )
        assert [line for line in ours if line not in plain] == []
        assert ours == plain


async def state(url: str, version_table: str) -> list[str]:
    """Return all that is in a database, line by line, and where it stands."""
    return [
        *(await dump(url, version_table)).splitlines(),
        f"at {await versions(url, version_table)}",
    ]


async def alembic(scripts: Scripts, url: str, *arguments: str, driver: str = "psycopg") -> None:
    """Run Alembic's own command, in the history's folder."""
    ini = scripts.folder / f"plain-{next(_numbers)}.ini"
    address = url.replace("postgresql:", f"postgresql+{driver}:")
    escaped = address.replace("%", "%%")
    ini.write_text(f"{scripts.config.read_text()}\nsqlalchemy.url = {escaped}\n")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "alembic",
        "-c",
        str(ini),
        *arguments,
        cwd=scripts.folder,
        env={**os.environ, "PGURL": address},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


async def dump(url: str, version_table: str = "alembic_version") -> str:
    """Return all of a database as pg_dump writes it, but for the rows of the version table."""
    process = await asyncio.create_subprocess_exec(
        str(await binaries_of(MAJOR) / "pg_dump"),
        f"--exclude-table-data={version_table}",
        url,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    return PASSING.sub("", said.decode())


async def versions(url: str, version_table: str) -> list[object]:
    """Return the rows of the version table, sorted; none where it is missing."""
    ((found,),) = await query(url, f"SELECT to_regclass('{version_table}') IS NOT NULL")
    if not found:
        return []
    sql = f"SELECT version_num FROM {version_table} ORDER BY 1"
    return [row for (row,) in await query(url, sql)]


async def run_live(runtime: Runtime, run: Run) -> set[str | None]:
    """Return the revisions whose scripts have run against the target in *run*."""
    found = await events(runtime, run=run.id)
    return {event.revision for event in found if is_of_script(event)}


def is_of_script(event: Event) -> bool:
    """Tell whether an event is an act of a script itself: only those tell of parameters apart."""
    return event.kind == "transaction.started" and "parameters" in event.data


async def compiled(
    settings: Settings, *, order: Order | None = None, heads: Heads = BASE, major: str = MAJOR
) -> Plan:
    """Return the plan for the first target of *settings*, compiled by nobody but the compiler."""
    providers = Providers()
    try:
        compiler = Compiler(runners_for(settings), providers)
        target = next(iter(settings.targets.values()))
        history = settings.histories[target.history]
        route = Route(history, target, order or Order(Verb.SYNC, "head"), heads, major)
        return (await compiler.compile(route)).plan
    finally:
        await providers.aclose()


async def plan_for(
    scripts: Scripts,
    url: str,
    place: str,
    *,
    order: Order | None = None,
    heads: Heads = BASE,
    history: str = "",
    target: str = "",
) -> Plan:
    """Return the plan for a target at *url* whose shadows are made at *place*."""
    settings = settings_for(scripts, [url], shadow=place, history=history, target=target)
    return await compiled(settings, order=order, heads=heads)


def classes(plan: Plan) -> dict[str, StepClass]:
    """Return the class of each step by its revision."""
    return {step.revision: step.kind for step in plan.steps}


def step_of(plan: Plan, revision: str) -> Step:
    """Return the step of one revision."""
    (found,) = (step for step in plan.steps if step.revision == revision)
    return found


def sent(step: Step) -> list[str]:
    """Return the statements of a step, in order."""
    return [sql for block in step.blocks for sql in block.statements]
