"""What scripts do decides whether their steps are replayed: one history of many scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.plan.model import Plan, StepClass
from tests.integration.compile_cases import (
    CATALOG,
    DEFIES,
    GROUND,
    LOOKS,
    READS,
    STATIC,
    Case,
)
from tests.support.engine import opened_runtime, settings_for
from tests.support.histories import ASYNC_ENV, SYNC_ENV, Scripts
from tests.support.parity import Pair, compiled, run_live, sent, step_of
from tests.support.postgres import Databases

#: driver -> the env.py that uses it
DRIVERS = {"psycopg": SYNC_ENV, "psycopg2": SYNC_ENV, "asyncpg": ASYNC_ENV}

ALL = {**STATIC, **CATALOG, **READS, **LOOKS, **DEFIES}


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    """Give each driver in turn."""
    return str(request.param)


def named(driver: str) -> Iterator[tuple[str, str, Case]]:
    """Yield revision, name and case of all that *driver* takes."""
    taken = ((name, case) for name, case in ALL.items() if case.asyncpg or driver != "asyncpg")
    for place, (name, case) in enumerate(taken, start=1):
        yield f"r{place:03}", name, case


def written(folder: Path, driver: str) -> Scripts:
    """Write a history of all cases."""
    scripts = Scripts(folder, DRIVERS[driver])
    scripts.add("r000", GROUND)
    for revision, _, case in named(driver):
        scripts.add(revision, case.body)
    return scripts


def differences(plan: Plan, driver: str) -> Iterator[str]:
    """Yield what *plan* says of each case other than the case does."""
    for revision, name, case in named(driver):
        step = step_of(plan, revision)
        why = case.why.format(file=f"{revision}.py")
        if step.kind is not kind_of(name) or not any(why in reason for reason in step.why or ("",)):
            yield f"{name}: {step.kind}, {step.why}"
        if case.sends and not any(case.sends in sql for sql in sent(step)):
            yield f"{name}: sends {sent(step)}"


def kind_of(name: str) -> StepClass:
    """Return the class that the case of this name must have."""
    if name in STATIC or not ALL[name].why:
        return StepClass.STATIC
    return StepClass.CATALOG if name in CATALOG else StepClass.LIVE


async def test_every_script_gets_its_class_and_its_reason(
    tmp_path: Path, driver: str, url: str
) -> None:
    """Static, catalog or live, with the reason and the line: on each driver the same."""
    scripts = written(tmp_path / "history", driver)
    settings = settings_for(scripts, [url], shadow=url, history=f'driver = "{driver}"')
    plan = await compiled(settings)
    assert list(differences(plan, driver)) == []


async def test_a_plan_leaves_what_alembic_leaves(
    tmp_path: Path, driver: str, databases: Databases
) -> None:
    """Schema, rows and sequences are those of `alembic upgrade head`; only live scripts run."""
    plain, ours, place = await databases(3)
    scripts = written(tmp_path / "history", driver)
    scripts.add("last", "op.execute('DELETE FROM note WHERE id BETWEEN 34 AND 40')")
    settings = settings_for(scripts, [ours], shadow=place, history=f'driver = "{driver}"')
    async with opened_runtime(settings) as runtime:
        run = await Pair(scripts, runtime, plain, ours, driver=driver).sync()
        scripts_run = await run_live(runtime, run)
    expected = {revision for revision, name, _ in named(driver) if kind_of(name) is StepClass.LIVE}
    assert scripts_run == expected
