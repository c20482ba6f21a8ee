"""What plain Alembic does in one process comes out the same where a path is split over several."""

from __future__ import annotations

import pytest

from sync.model import Order, RunState, Selection, Verb
from sync.plan.model import Step, StepClass
from sync.runtime import Runtime
from tests.support.engine import (
    opened_runtime,
    ordered,
    ordered_one,
    query,
    settings_for,
    tables,
)
from tests.support.histories import SYNC_ENV, Scripts
from tests.support.postgres import Databases, Postgres

READS = 'op.get_bind().execute(sa.text("SELECT count(*) FROM rows")).scalar()\n'

#: A table with a column of an enumerated type, which Alembic creates once in a process.
WITH_TYPE = """
op.create_table("{}", sa.Column("mood", sa.Enum("sad", "happy", name="mood")))
"""

#: A hook that prepares an empty database, on a connection of its own.
HOOK = """
from sqlalchemy import create_engine, text


def prepare(config):
    url = config.get_main_option("sqlalchemy.url")
    if url is None:
        return
    with create_engine(url).begin() as connection:
        if connection.scalar(text("SELECT to_regclass('base') IS NULL")):
            connection.execute(text("CREATE TABLE base (id integer)"))
"""

#: Four ways in which a script comes by a clock that shows nothing finer than seconds.
CLOCKS = {
    "module": "stamp(datetime.date.today().isoformat())",
    "name": "stamp(date.today().isoformat())",
    "inside": "import time\nstamp(int(time.time()) // 3600)",
    "helper": "import helpers\nstamp(helpers.today())",
}


async def steps_of(runtime: Runtime, to: str = "head") -> tuple[Step, ...]:
    """Return the plan's steps for the first target."""
    (first, *_) = await runtime.previews.of(Order(Verb.SYNC, to), Selection())
    assert first.plan, first.problem
    return first.plan.steps


async def test_types_are_kept_in_mind(scripts: Scripts, url: str, postgres: Postgres) -> None:
    """A type that a replayed step has created is not created again by a script that runs live."""
    scripts.add("r1", f'op.execute("CREATE TABLE rows ()"){WITH_TYPE.format("t1")}')
    scripts.add("r2", READS + WITH_TYPE.format("t2"))
    scripts.add("r3", WITH_TYPE.format("t3"))
    async with opened_runtime(settings_for(scripts, [url], shadow=postgres.admin_url)) as runtime:
        kinds = [step.kind for step in await steps_of(runtime)]
        assert kinds == [StepClass.STATIC, StepClass.LIVE, StepClass.STATIC]
        run = await ordered_one(runtime)
        assert (run.state, run.error) == (RunState.SUCCEEDED, None)
    assert await tables(url) >= {"t1", "t2", "t3"}


@pytest.mark.parametrize("middle", ["", READS], ids=["static", "live"])
async def test_types_are_forgotten_with_the_path(
    scripts: Scripts, url: str, postgres: Postgres, middle: str
) -> None:
    """A path that begins later knows nothing of the types on the way to where it begins."""
    scripts.add("r1", f'op.execute("CREATE TABLE rows ()"){WITH_TYPE.format("t1")}')
    scripts.add("r2", 'op.execute("DROP TABLE t1")\nop.execute("DROP TYPE mood")')
    scripts.add("r3", middle + WITH_TYPE.format("t3"))
    async with opened_runtime(settings_for(scripts, [url], shadow=postgres.admin_url)) as runtime:
        await ordered_one(runtime, to="r2")
        run = await ordered_one(runtime)
        assert (run.state, run.error) == (RunState.SUCCEEDED, None)
    assert await query(url, "SELECT count(*) FROM pg_type WHERE typname = 'mood'") == [(1,)]


async def test_hook_comes_first(scripts: Scripts, databases: Databases, postgres: Postgres) -> None:
    """What a hook does to the shadow it does to each target too: the first step is live."""
    scripts.add("r1", 'op.execute("ALTER TABLE base ADD COLUMN one integer")')
    scripts.add("r2", 'op.execute("ALTER TABLE base ADD COLUMN two integer")')
    (scripts.folder / "hooks.py").write_text(HOOK)
    settings = settings_for(
        scripts, await databases(2), shadow=postgres.admin_url, history='hook = "hooks:prepare"'
    )
    async with opened_runtime(settings) as runtime:
        first, second = await steps_of(runtime)
        assert (first.kind, second.kind) == (StepClass.LIVE, StepClass.STATIC)
        assert first.why == (
            "hook or env.py changes something first: CREATE TABLE base (id integer)",
        )
        runs = await ordered(runtime)
        assert {(run.state, run.error) for run in runs} == {(RunState.SUCCEEDED, None)}


@pytest.mark.parametrize("way", CLOCKS)
async def test_coarse_clocks(scripts: Scripts, url: str, postgres: Postgres, way: str) -> None:
    """What a script makes of the time differs in the second compilation, however coarse it is."""
    (scripts.folder / "helpers.py").write_text(
        "from datetime import date\n\n\ndef today():\n    return date.today().isoformat()\n"
    )
    path = scripts.add("r1", CLOCKS[way])
    path.write_text(
        f"import datetime\nfrom datetime import date\nfrom sqlalchemy import text\n"
        f"{path.read_text()}\n\ndef stamp(value):\n"
        "    op.execute(f\"COMMENT ON SCHEMA public IS '{value}'\")\n"
    )
    async with opened_runtime(settings_for(scripts, [url], shadow=postgres.admin_url)) as runtime:
        (step,) = await steps_of(runtime)
    assert (step.kind, step.why) == (
        StepClass.LIVE,
        ("comes out different when it is compiled again",),
    )


async def test_libraries_see_the_real_clock(scripts: Scripts, url: str, postgres: Postgres) -> None:
    """What env.py imports finds the real classes in the second compilation too."""
    scripts.write_env(
        f"import datetime\nassert datetime.datetime is type(datetime.datetime.now())\n{SYNC_ENV}"
    )
    scripts.add_tables("r1")
    async with opened_runtime(settings_for(scripts, [url], shadow=postgres.admin_url)) as runtime:
        (step,) = await steps_of(runtime)
    assert step.kind is StepClass.STATIC


async def test_second_compilation_fails_alone(
    scripts: Scripts, url: str, postgres: Postgres
) -> None:
    """A script that fails in the second compilation only runs live, and all that follows too."""
    scripts.add_tables("r1")
    scripts.add(
        "r2", 'import datetime, os\nassert datetime.date.today().isoformat() < os.environ["DAY"]'
    )
    scripts.add_tables("r3")
    (day,) = (await query(url, "SELECT (current_date + 30)::text"))[0]
    history = f'env = {{ DAY = "{day}" }}'
    settings = settings_for(scripts, [url], shadow=postgres.admin_url, history=history)
    async with opened_runtime(settings) as runtime:
        kinds = [step.kind for step in await steps_of(runtime)]
        assert kinds == [StepClass.STATIC, StepClass.LIVE, StepClass.LIVE]
        run = await ordered_one(runtime)
        assert (run.state, run.error) == (RunState.SUCCEEDED, None)


async def test_collations_belong_to_the_catalog(
    scripts: Scripts, url: str, postgres: Postgres
) -> None:
    """Whether something is visible is a question to the catalog, whatever it is."""
    scripts.add(
        "r1", 'op.get_bind().execute(sa.text("SELECT pg_collation_is_visible(100)")).scalar()'
    )
    async with opened_runtime(settings_for(scripts, [url], shadow=postgres.admin_url)) as runtime:
        (step,) = await steps_of(runtime)
    assert step.kind is StepClass.CATALOG


async def test_a_module_that_a_script_imports_changes(
    scripts: Scripts, databases: Databases, postgres: Postgres
) -> None:
    """What was compiled before the change is compiled anew: once, though the old is at hand."""
    module = scripts.folder / "names_of_tables.py"
    module.write_text('TABLE = "old"')
    scripts.add("a1", "import names_of_tables\nop.create_table(names_of_tables.TABLE)")
    urls = await databases(4)
    async with opened_runtime(settings_for(scripts, urls, shadow=postgres.admin_url)) as runtime:
        await ordered(runtime, Verb.SYNC, "head", "db-1")
        await ordered(runtime, Verb.SYNC, "head", "db-2")
        module.write_text('TABLE = "new"')
        await ordered(runtime, Verb.SYNC, "head", "db-3")
        runtime._engine.plans._compiler = None  # type: ignore[assignment]  # nobody may ask it
        (run,) = await ordered(runtime, Verb.SYNC, "head", "db-4")
        assert run.state is RunState.SUCCEEDED, run.error
    found = [await tables(url) - {"alembic_version"} for url in urls]
    assert found == [{"old"}, {"old"}, {"new"}, {"new"}]
