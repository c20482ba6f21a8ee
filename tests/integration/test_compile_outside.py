"""What a script does outside of its database is done with its step, and not for a plan."""

from __future__ import annotations

import asyncio

import pytest

from sync.plan.model import StepClass
from tests.support.engine import at, query
from tests.support.histories import Scripts
from tests.support.parity import classes, plan_for

STATIC, LIVE = StepClass.STATIC, StepClass.LIVE

OUTSIDE = {
    "program": ("import subprocess\nsubprocess.run(['touch', '{file}'])", "subprocess.Popen"),
    "shell": ("import os\nos.system('touch {file}')", "os.system"),
    "role": ('op.execute("CREATE ROLE of_a_shadow")', "CREATE ROLE"),
    "server": ("op.execute(\"ALTER DATABASE postgres SET work_mem = '9MB'\")", "ALTER DATABASE"),
    "copy": (
        "op.execute(\"COPY (SELECT 1) TO PROGRAM 'touch {file}'\")",
        "COPY (SELECT 1) TO PROGRAM",
    ),
}


@pytest.mark.parametrize("what", OUTSIDE)
@pytest.mark.parametrize("swallow", [False, True], ids=["open", "swallowed"])
async def test_nothing_happens_outside_of_a_shadow(
    scripts: Scripts,
    url: str,
    what: str,
    swallow: bool,  # noqa: FBT001 - parametrised
) -> None:
    """The script is stopped before it acts, and its step runs live; no file, no role is left."""
    file = scripts.folder / "touched"
    body, named = OUTSIDE[what]
    text = body.format(file=file)
    if swallow:
        inner = text.replace("\n", "\n    ")
        text = f"try:\n    {inner}\nexcept Exception:\n    pass"
    scripts.add_tables("a1")
    scripts.add("a2", text)
    plan = await plan_for(scripts, url, url)
    assert classes(plan) == {"a1": STATIC, "a2": LIVE}
    assert plan.steps[1].why[0].startswith(f"acts outside of its database: {named}, a2.py line 1")
    assert not file.exists()
    assert await query(url, "SELECT FROM pg_roles WHERE rolname = 'of_a_shadow'") == []
    assert (
        await query(url, "SELECT FROM pg_db_role_setting WHERE setconfig::text ~ 'work_mem'") == []
    )


async def test_no_connection_is_opened_for_a_shadow(scripts: Scripts, url: str) -> None:
    """Who listens elsewhere hears nothing, nor when the script lies ahead of the path."""
    heard = []

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(1)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        scripts.add("a1", f'import socket\nsocket.create_connection(("127.0.0.1", {port}))')
        scripts.add_tables("a2")
        first = await plan_for(scripts, url, url)
        later = await plan_for(scripts, url, url, heads=at("a1"))
    assert [step.kind for step in (*first.steps, *later.steps)] == [LIVE] * 3
    assert first.steps[0].why[0].startswith("acts outside of its database: socket.connect")
    assert heard == []
