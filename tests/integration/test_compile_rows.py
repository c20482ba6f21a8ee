"""A script that reads rows which no shadow has: replayed it would do nothing, and stamp."""

from __future__ import annotations

from tests.support.engine import execute, opened_runtime, query, settings_for
from tests.support.histories import Scripts
from tests.support.parity import Pair, run_live
from tests.support.postgres import Databases

LOWER = """
bind = op.get_bind()
for row in bind.execute(sa.text("SELECT id, slug FROM tenant")).fetchall():
    bind.execute(
        sa.text("UPDATE tenant SET slug = :slug WHERE id = :id"),
        {"slug": row.slug.lower(), "id": row.id},
    )
"""


async def test_slugs_of_tenants_come_out_lower(scripts: Scripts, databases: Databases) -> None:
    """Rows of the target are changed as Alembic changes them; the steps around are replayed."""
    plain, ours, place = await databases(3)
    scripts.add("a1", 'op.execute("CREATE TABLE tenant (id int, slug text)")')
    scripts.add("a2", LOWER)
    scripts.add_tables("a3")
    async with opened_runtime(settings_for(scripts, [ours], shadow=place)) as runtime:
        pair = Pair(scripts, runtime, plain, ours)
        first = await pair.sync("a1")
        for url in (plain, ours):
            await execute(url, "INSERT INTO tenant VALUES (1, 'ABC'), (2, 'dEf')")
        second = await pair.sync("head")
        assert [await run_live(runtime, run) for run in (first, second)] == [set(), {"a2"}]
    assert await query(ours, "SELECT slug FROM tenant ORDER BY 1") == [("abc",), ("def",)]
