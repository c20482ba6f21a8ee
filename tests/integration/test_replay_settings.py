"""What a script sets for its session holds for the steps after it, and not for the next run."""

from __future__ import annotations

import pytest

from sync.model import RunState
from tests.support.engine import (
    at,
    execute,
    opened_runtime,
    ordered_one,
    query,
    settings_for,
)
from tests.support.histories import Scripts
from tests.support.postgres import Postgres

SETS = """
op.execute("SET my.tenant = 'eu'")
op.execute("SET lock_timeout = '7s'")
op.execute("SET search_path = extra, public")
"""
TELLS = """
op.execute(\"\"\"CREATE TABLE public.told_{} AS SELECT current_setting('my.tenant', true) AS tenant,
    current_setting('lock_timeout') AS patience, current_setting('search_path') AS path\"\"\")
"""
READS = 'op.get_bind().execute(sa.text("SELECT count(*) FROM rows")).scalar()\n'
LOOKS = "sa.inspect(op.get_bind()).get_table_names()\n"


async def told(url: str, name: str) -> tuple[object, ...]:
    """Return what a step has seen."""
    (row,) = await query(url, f"SELECT * FROM told_{name}")
    return row


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(
    "middle",
    ["pass", READS, LOOKS],
    ids=["static", "live", "catalog"],
)
async def test_settings_hold_for_the_run(
    scripts: Scripts,
    url: str,
    postgres: Postgres,
    middle: str,
    compiled: bool,  # noqa: FBT001 - a case
) -> None:
    """Each step sees the session as the steps before it left it, whichever way they went."""
    scripts.add("r0", 'op.execute("CREATE TABLE rows ()")\nop.execute("CREATE SCHEMA extra")')
    scripts.add("r1", SETS)
    scripts.add("r2", middle + TELLS.format("r2"))
    scripts.add("r3", TELLS.format("r3"))
    place = postgres.admin_url if compiled else "none"
    async with opened_runtime(settings_for(scripts, [url], shadow=place)) as runtime:
        await ordered_one(runtime, to="r0")
        await execute(url, "CREATE TABLE by_hand ()")  # the shadow has no such table
        run = await ordered_one(runtime)
        assert (run.state, run.after, run.error) == (RunState.SUCCEEDED, at("r3"), None)
        expected = ("eu", "7s", "extra, public")
        assert [await told(url, name) for name in ("r2", "r3")] == [expected] * 2
        scripts.add("r4", TELLS.format("r4"))
        await ordered_one(runtime)
        assert await told(url, "r4") == (None, "5s", '"$user", public')
