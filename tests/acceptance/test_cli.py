"""The command line as a subprocess, without a service, against a real Postgres."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest

from tests.support.cli import Project
from tests.support.postgres import Databases


@pytest.fixture
async def project(tmp_path: Path, databases: Databases) -> Project:
    """Give a project with the empty targets eu and us."""
    eu, us = await databases(2)
    return Project.create(tmp_path, {"eu": eu, "us": us})


async def test_from_base_to_head(project: Project) -> None:
    """`status` exits 1 while something is pending and 0 when `sync` has brought all to head."""
    before = await project.run("status")
    assert (before.code, before.err) == (1, "")
    assert before.out.splitlines()[0] == "eu  app  postgresql  behind  base  c3  3, first a1  -"
    done = await project.run("sync")
    assert (done.code, done.err) == (0, "")
    assert "us: b2 (2/3)" in done.out.splitlines()
    after = await project.run("status")
    assert after.code == 0
    assert after.out.splitlines()[1] == "us  app  postgresql  current  c3  c3  -  -"


async def test_status_as_json(project: Project) -> None:
    """`status --json` is a list of objects that scripts can rely on."""
    await project.run("sync", "eu")
    eu, us = (await project.run("status", "--json")).json()
    assert (eu["name"], eu["history"], eu["provider"]) == ("eu", "app", "postgresql")
    assert (eu["status"], eu["heads"], eu["head"], eu["pending"]) == ("current", ["c3"], ["c3"], [])
    assert (us["status"], us["heads"], us["pending"]) == ("behind", [], ["a1", "b2", "c3"])
    assert eu["last_run"]
    assert us["labels"] == {"region": "us"}


async def test_a_dry_run_changes_nothing(project: Project) -> None:
    """`sync --dry-run` says what would be sent, equal plans once, and leaves it pending."""
    said = await project.run("sync", "--dry-run", "--to", "b2")
    assert said.code == 0
    first, second, third, *_ = said.out.splitlines()
    assert (first, third[:8]) == ("-- eu, us: 2 steps", "-- plan ")
    assert (second[:12], second[-11:]) == ("-- warning: ", "[live-step]")
    live = "-- SQL not known beforehand, script b2.py"
    assert said.out.count(live) == 1
    [eu, _] = (await project.run("status", "--json")).json()
    assert eu["heads"] == []


async def test_selection(project: Project) -> None:
    """Only the targets that match every option are touched, and `--to` stops on the way."""
    said = await project.run("sync", "--label", "region=us", "--history", "app", "--to", "b2")
    assert said.code == 0
    eu, us = (await project.run("status", "--json")).json()
    assert (eu["heads"], us["heads"]) == ([], ["b2"])


async def test_downgrade_holds_until_release(project: Project) -> None:
    """A downgrade stays until somebody releases the target: `sync` refuses meanwhile."""
    await project.run("sync", "eu")
    down = await project.run("downgrade", "eu", "-1", "--actor", "ann")
    assert (down.code, down.err) == (0, "")
    [held] = (await project.run("status", "eu", "--json")).json()
    assert (held["status"], held["heads"], held["hold"]["actor"]) == ("held", ["b2"], "ann")
    refused = await project.run("sync", "eu")
    assert (refused.code, refused.out) == (5, "")
    assert "run levelhead release eu" in refused.err
    assert (await project.run("sync")).code == 1
    assert (await project.run("release", "eu")).out == "eu: released, behind\n"
    assert (await project.run("sync", "eu")).code == 0


async def test_how_far_down(project: Project) -> None:
    """Steps back are written as Alembic takes them, behind two dashes, or as an option."""
    await project.run("sync", "eu")
    for written, heads in ((("--", "-1"), "b2"), (("--to=-1",), "a1"), (("base",), "base")):
        down = await project.run("downgrade", "eu", *written)
        assert f"eu: downgraded to {heads} after" in down.out


async def test_stamp_sets_the_version_table_only(project: Project, databases: Databases) -> None:
    """`stamp` moves the version table and creates nothing."""
    (url,) = await databases(1)
    project.configure({"ap": url})
    assert (await project.run("stamp", "ap", "b2")).code == 0
    connection = await asyncpg.connect(url)
    try:
        assert await connection.fetchval("SELECT version_num FROM alembic_version") == "b2"
        assert await connection.fetchval("SELECT to_regclass('t_a1')") is None
    finally:
        await connection.close()


async def test_what_happened_is_told(project: Project) -> None:
    """`runs` and `events` show who did what, filtered; `events verify` vouches for it."""
    await project.run("sync", "eu", "--actor", "ann")
    [run] = (await project.run("runs", "--target", "eu", "--json")).json()
    assert (run["state"], run["actor"], run["after"]) == ("succeeded", "ann", ["c3"])
    assert (await project.run("runs", "--state", "failed")).out == ""
    kinds = ("events", "--run", run["id"][:8], "--kind", "step.succeeded", "--json")
    steps = (await project.run(*kinds)).json()
    assert [event["revision"] for event in steps] == ["a1", "b2", "c3"]
    assert {event["actor"] for event in steps} == {"ann"}
    assert (await project.run("events", "--run", "no")).err == (
        "levelhead: there is no run no; levelhead runs shows them\n"
    )
    last = (await project.run("events", "--limit", "1", "--since", "1h")).lines()
    assert [line[2] for line in last] == ["run.succeeded"]
    assert (await project.run("events", "--until", "2020-01-01")).out == ""
    whole = await project.run("events", "verify")
    assert (whole.code, whole.out.split(maxsplit=1)[1]) == (0, "events, chain whole\n")


async def test_an_altered_event_is_found(project: Project) -> None:
    """`events verify` exits 6 and names the event that was altered."""
    await project.run("sync", "eu")
    with closing(sqlite3.connect(project.root / "levelhead.db")) as control, control:
        for (trigger,) in control.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            control.execute(f"DROP TRIGGER {trigger}")
        control.execute("UPDATE events SET actor = 'eve' WHERE sequence = 2")
    said = await project.run("events", "verify")
    assert (said.code, said.out) == (6, "")
    assert said.err == "levelhead: audit log broken at event 2: it is not as it was written\n"


async def test_tokens(project: Project) -> None:
    """A key is shown once, when it is made; `token list` knows names only."""
    made = await project.run("token", "create", "ann", "--role", "operator")
    assert made.code == 0
    key = made.out.strip()
    assert key.encode() not in (project.root / "levelhead.db").read_bytes()
    assert (await project.run("token", "create", "ann")).code == 2
    listed = await project.run("token", "list")
    assert listed.lines()[0][:2] == ["ann", "operator"]
    assert key not in listed.out
    assert (await project.run("token", "revoke", "ann")).out == "ann: revoked\n"
    assert (await project.run("token", "list", "--json")).json()[0]["revoked_at"]
    assert (await project.run("token", "revoke", "bob")).code == 2


async def test_check_finds_all_well(project: Project) -> None:
    """`check` says ok for everything that a sweep needs."""
    said = await project.run("check")
    assert (said.code, said.err) == (0, "")
    assert {line[0] for line in said.lines()} == {"ok"}
    subjects = {finding["subject"] for finding in (await project.run("check", "--json")).json()}
    assert {"configuration", "control database", "history app", "target eu"} <= subjects


async def test_a_postgres_control_database(tmp_path: Path, databases: Databases) -> None:
    """With its records in Postgres every command does the same."""
    control, eu = await databases(2)
    project = Project.create(tmp_path, {"eu": eu}, control=control)
    assert (await project.run("status")).code == 1
    assert (await project.run("sync")).code == 0
    assert (await project.run("status")).code == 0
    assert len((await project.run("runs")).lines()) == 1
    assert (await project.run("events", "verify")).code == 0
    assert (await project.run("check")).code == 0


async def test_an_interrupt_ends_in_order(project: Project) -> None:
    """Ctrl-C ends a command with exit code 130, and what it did stays whole."""
    project.add_script("d4", "c3", 'op.execute("SELECT pg_sleep(60)")')
    process = await project.start("sync", "eu")
    assert process.stdout is not None
    while b"c3" not in await process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert process.returncode == 130
    assert err.decode().splitlines() == [
        "interrupted: what is in flight may take 5 s to end; Ctrl-C again ends it now",
        "levelhead: interrupted",
    ]
    [eu] = (await project.run("status", "eu", "--json")).json()
    assert eu["heads"] == ["c3"]
    assert (await project.run("events", "verify")).code == 0
