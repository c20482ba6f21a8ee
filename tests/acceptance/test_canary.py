"""A plan's first target, as the people around it see it; and what a crash in between leaves."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests.support.cli import Project, until
from tests.support.engine import execute, query, tables, version
from tests.support.postgres import Databases

#: Static to the compiler, for it returns nothing; but what it does hangs on the database.
BY_REGION = """op.execute('''DO $$ BEGIN
        IF current_setting('app.region', true) = 'eu' THEN CREATE TABLE eu_only (id int);
        ELSE CREATE TABLE plain (id int); END IF;
    END $$''')"""

#: The same kind of thing, which agrees everywhere; a test can make it wait.
WAITING = """op.execute('''DO $$ BEGIN
        PERFORM pg_advisory_xact_lock(7); CREATE TABLE plain (id int);
    END $$''')"""


def project(root: Path, urls: list[str], control: str | None = None) -> Project:
    """Write a project that wants a canary, with targets named as people name them."""
    names = ("orders-eu", "orders-jp", "orders-us")
    made = Project.create(root, dict(zip(names, urls, strict=False)), control)
    file = root / "levelhead.toml"
    text = file.read_text().replace('shadow = "none"', 'shadow = "auto"\ncanary = true')
    text = text.replace("[schedule]", 'lease = "2s"\n[schedule]')
    file.write_text(text.replace('every = "1h"', 'every = "500ms"'))
    return made


async def told(here: Project, kind: str) -> list[dict[str, Any]]:
    """Return the events of one kind, oldest first."""
    return list((await here.run("events", "--kind", kind, "--json")).json())


@pytest.mark.slow
async def test_the_way_of_a_canary(tmp_path: Path, databases: Databases) -> None:
    """One goes first; where it agrees the others follow, where not they wait for a person."""
    eu, jp, us = await databases(3)
    here = project(tmp_path, [eu, jp, us])

    # The first rollout: eu runs the scripts, and the others replay what they are known to do.
    said = await here.run("sync", "--actor", "olga")
    assert (said.code, said.err) == (0, ""), said
    lines = said.out.splitlines()
    for name in ("orders-jp", "orders-us"):
        waits = [line for line in lines if line.startswith(f"{name}: waits for canary orders-eu")]
        assert lines.index(waits[0]) < lines.index("orders-eu: c3 (3/3)")
        assert lines.index("orders-eu: c3 (3/3)") < lines.index(f"{name}: a1 (1/3)")
    (passed,) = await told(here, "canary.passed")
    shown = (await here.run("plan", "--digest", passed["data"]["plan"])).out.splitlines()
    assert shown[2].startswith("canary: passed on orders-eu, ")

    # A revision whose effect hangs on a setting that only eu has. No parser sees that.
    await execute(eu, f"ALTER DATABASE \"{eu.rpartition('/')[2]}\" SET app.region = 'eu'")
    here.add_script("d4", "c3", BY_REGION)
    said = await here.run("sync", "--actor", "olga")
    difference = (
        "+ table public.eu_only: permanent, and 1 part of it; "
        "- table public.plain: permanent, and 1 part of it"
    )
    (failed,) = await told(here, "canary.failed")
    digest = failed["data"]["plan"]
    assert (failed["target"], failed["data"]["message"]) == ("orders-eu", difference)
    reasons = [
        f"{name}: plan {digest[:12]} failed on its canary: on orders-eu its scripts left another "
        f"schema than its replay on a shadow: {difference}; change the scripts, or levelhead "
        f"approve {digest[:12]}"
        for name in ("orders-jp", "orders-us")
    ]
    assert (said.code, said.err.splitlines()) == (5, reasons)
    assert (await here.run("status")).out.count("failed on its canary") == len(reasons)
    assert "plain" not in await tables(us)

    # Berta reads over the API how they differ, and lets it through all the same.
    async with here.serving() as service, httpx.AsyncClient(base_url=service.url) as client:
        record = (await client.get(f"/api/v1/plans/{digest}")).json()["record"]
    assert record["canary"]["state"] == "failed"
    assert record["canary"]["difference"] == difference.split("; ")
    assert (await here.run("approve", digest, "--actor", "berta")).code == 0
    assert (await here.run("sync", "--actor", "olga")).code == 0
    assert {"plain", "t_c3"} <= await tables(jp) & await tables(us)
    assert (await here.run("events", "verify")).code == 0


@pytest.mark.slow
async def test_killed_before_the_comparison(tmp_path: Path, databases: Databases) -> None:
    """Kill -9 when the canary is at head, and nobody has compared: the next command compares."""
    eu, jp, control = await databases(3)
    here = project(tmp_path, [eu, jp], control)
    here.add_script("a1", None, WAITING)

    async def chosen() -> bool:
        sql = "SELECT 1 FROM canaries WHERE state = 'chosen'"
        return "canaries" in await tables(control) and bool(await query(control, sql))

    async def at_head(url: str) -> bool:
        return "alembic_version" in await tables(url) and await version(url) == {"c3"}

    gate, records = await asyncpg.connect(eu), await asyncpg.connect(control)
    await gate.execute("SELECT pg_advisory_lock(7)")
    process = await here.start("sync")
    await until(chosen)
    async with records.transaction():
        await records.execute("LOCK TABLE canaries IN ACCESS EXCLUSIVE MODE")  # no verdict is kept
        await gate.close()
        await until(partial(at_head, eu))
        process.send_signal(signal.SIGKILL)
        await process.communicate()
    assert await chosen()
    await records.close()

    async with here.serving():
        await until(partial(at_head, jp))
    (passed,) = await told(here, "canary.passed")
    (first,) = await told(here, "canary.chosen")
    assert passed["run"] == first["run"]
