"""What a script leaves in its session: later ones find it, or all of them run in one session."""

from __future__ import annotations

import pytest

from sync.plan.model import StepClass
from tests.support.engine import at, opened_runtime, settings_for
from tests.support.histories import Scripts
from tests.support.parity import Pair, classes, plan_for, run_live
from tests.support.postgres import Databases

STATIC, LIVE = StepClass.STATIC, StepClass.LIVE

READS = 'op.get_bind().scalar(sa.text("SELECT count(*) FROM base"))'

#: What leaves something behind, and its name.
LEAVES = {
    "search_path": ("SET search_path TO aside, public", "search_path"),
    "function": ("SELECT set_config('search_path', 'aside, public', false)", "search_path"),
    "own": ("SET app.who = 'ada'", "a setting of its own"),
    "block": (
        "DO $$ BEGIN PERFORM set_config('app.' || 'who', 'x', false); END $$",
        "a setting of its own",
    ),
    "temporary": ("CREATE TEMP TABLE kept (id int)", "temporary kept"),
    "prepared": ("PREPARE give AS SELECT 1", "prepared statement give"),
    "cursor": ("DECLARE held CURSOR WITH HOLD FOR SELECT 1", "cursor held"),
    "channel": ("LISTEN news", "channel news"),
    "lock": ("SELECT pg_advisory_lock(9)", "advisory lock"),
}

#: What leaves nothing that anything depends on.
HARMLESS = {
    "equal": "SET search_path TO DEFAULT",
    "limit": "SET lock_timeout = '7s'",
    "local": "SET LOCAL work_mem = '9MB'",
    "dropped": "CREATE TEMP TABLE kept (id int) ON COMMIT DROP",
    "messages": "SET client_min_messages = error",
}


def write(scripts: Scripts, sql: str) -> None:
    """Write a history whose second script sends *sql*, and whose third one reads rows."""
    scripts.add("a1", 'op.execute("CREATE TABLE base (id int)")\nop.execute("CREATE SCHEMA aside")')
    scripts.add("a2", f'op.execute("""{sql}""")')
    scripts.add("a3", READS)
    scripts.add("a4", 'op.execute("CREATE TABLE late (id int)")')


@pytest.mark.parametrize("what", LEAVES)
async def test_what_is_left_keeps_steps_together(scripts: Scripts, url: str, what: str) -> None:
    """Behind a script that leaves something, no step is torn from it; the plan says why."""
    sql, name = LEAVES[what]
    write(scripts, sql)
    plan = await plan_for(scripts, url, url)
    assert classes(plan) == {"a1": STATIC, "a2": LIVE, "a3": LIVE, "a4": LIVE}
    assert plan.steps[3].why == (f"a2 leaves {name} in the session",)


@pytest.mark.parametrize("what", HARMLESS)
async def test_what_leaves_nothing_is_replayed(scripts: Scripts, url: str, what: str) -> None:
    """Limits, messages, and what ends with its transaction keep nothing together."""
    write(scripts, HARMLESS[what])
    plan = await plan_for(scripts, url, url)
    assert classes(plan) == {"a1": STATIC, "a2": STATIC, "a3": LIVE, "a4": STATIC}


async def test_tables_go_where_the_path_of_an_earlier_script_leads(
    scripts: Scripts, databases: Databases
) -> None:
    """With a live step in between, and in two goes, both as it is under Alembic."""
    plain, ours, place = await databases(3)
    write(scripts, "SET search_path TO aside, public")
    scripts.add("a5", 'op.execute("CREATE TABLE later (id int)")')
    async with opened_runtime(settings_for(scripts, [ours], shadow=place)) as runtime:
        pair = Pair(scripts, runtime, plain, ours)
        first, second = await pair.sync("a4"), await pair.sync("a5")
        assert await run_live(runtime, first) == {"a2", "a3", "a4"}
        assert await run_live(runtime, second) == set()


async def test_a_path_begins_with_a_session_of_its_own(scripts: Scripts, url: str) -> None:
    """What scripts ahead of the path leave on the shadow is undone before the path begins."""
    scripts.add("a1", 'op.execute("CREATE SCHEMA aside")')
    left = "; ".join(sql for sql, _ in LEAVES.values() if "DO" not in sql)
    scripts.add("a2", f'op.execute("""{left}""")')
    scripts.add(
        "a3",
        """
        path = op.get_bind().scalar(sa.text("SELECT array_to_string(current_schemas(false), ' ')"))
        op.execute(f"COMMENT ON SCHEMA public IS '{path}'")
        op.execute("CREATE TEMP TABLE kept (id int) ON COMMIT DROP")
        """,
    )
    plan = await plan_for(scripts, url, url, heads=at("a2"))
    assert plan.steps[0].kind is StepClass.CATALOG
    assert plan.steps[0].blocks[0].statements[0] == "COMMENT ON SCHEMA public IS 'public'"
