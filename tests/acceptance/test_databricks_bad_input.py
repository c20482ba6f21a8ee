"""Bad input around a SQL warehouse: one line each, nothing lost, and the token nowhere."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from urllib.parse import quote

import pytest

from providers.databricks.warehouse import Fault, FaultKind, Warehouse, warehouse_process
from tests.support.cli import PATIENCE, Project, Said, until
from tests.support.interpreters import BASE_PYTHON, bare_python
from tests.support.warehouse_client import connected, history
from tests.support.warehouse_targets import url_of

pytest_plugins = ["tests.support.warehouse"]

SECRET = "dapi-hunter2-and-more"  # noqa: S105 - a token that opens nothing

#: How a run ends whose statement nobody saw the end of: of a script, and of a plan.
BROKE = "eu: connection lost ("
PLAN_BROKE = "eu: revision b2: the connection broke ("

#: Statements that change nothing but the session.
READS = ("SELECT", "DESCRIBE", "SHOW", "USE", "SET")

MIXED = """import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql
    op.add_column("t_a1", sa.Column("name", sa.String()))
    op.add_column("t_a1", sa.Column("body", postgresql.TSVECTOR()))"""

RENAMED = """import sqlalchemy as sa
    op.add_column("t_a1", sa.Column("name", sa.String()))"""

ODD = """import sqlalchemy as sa
    op.create_table(
        "order",
        sa.Column("select", sa.Integer(), server_default="1"),
        sa.Column("a.b", sa.Text()),
        sa.Column("tick`s", sa.Text()),
        sa.Column("two words", sa.Text()),
    )
    op.alter_column("order", "a.b", new_column_name="from", existing_type=sa.Text())"""

ENDS_EARLY = """
import os

from alembic import context
from sqlalchemy import create_engine
create_engine(context.config.get_main_option("sqlalchemy.url")).connect()
os._exit(3)
"""


@dataclass(frozen=True, slots=True)
class Site:
    """A project whose only target, eu, is an empty schema of a warehouse."""

    project: Project
    warehouse: Warehouse
    url: str
    schema: str
    before: str  #: id of the last statement that the warehouse had seen when it was made

    async def fails(self, code: int, *parts: str, command: str = "sync") -> Said:
        """Require that a command fails with *code* and one line that has all of *parts*."""
        return self.one_line(await self.project.run(*command.split()), code, *parts)

    def one_line(self, said: Said, code: int, *parts: str) -> Said:
        """Require that a command failed with *code* and one line that has all of *parts*."""
        assert (said.code, said.err.count("\n")) == (code, 1), said
        assert all(part in said.err for part in parts), said.err
        self.keeps_secrets(said)
        return said

    def keeps_secrets(self, said: Said) -> None:
        """Require that a command has shown no token."""
        assert not [each for each in (SECRET, self.warehouse.token) if each in said.out + said.err]

    async def is_unreachable(self, *parts: str) -> None:
        """Require that `status` and `check` say so, with all of *parts*, and exit 1 and 3."""
        status, check = await asyncio.gather(self.project.run("status"), self.project.run("check"))
        assert (status.code, check.code) == (1, 3)
        assert status.out.split()[3] == "unreachable"
        for said in (status, check):
            assert all(part in said.out for part in parts), said.out
            self.keeps_secrets(said)

    async def succeeds(self, *command: str) -> Said:
        """Require that a command succeeds, and complains of nothing."""
        said = await self.project.run(*command)
        assert (said.code, said.err) == (0, ""), said
        return said

    async def comes_to_head(self) -> Said:
        """Require that `sync` succeeds, and that each table was made once, over all runs."""
        said = await self.succeeds("sync")
        assert " at c3 " in said.out.splitlines()[-1]
        assert [self.ends(f"TABLE t_{name}") for name in ("a1", "b2", "c3")] == [["FINISHED"]] * 3
        return said

    def shadow(self, how: str) -> None:
        """Have plans compiled so: "none" has every revision run its script."""
        text = self.project.toml.read_text()
        self.project.toml.write_text(text.replace('shadow = "none"', f'shadow = "{how}"'))

    def ends(self, text: str) -> list[str]:
        """Return how the statements with *text* ended that arrived, the newest first."""
        return [each["status"] for each in self.statements() if text in each["query_text"]]

    def execute(self, sql: str) -> None:
        """Do something to the schema behind levelhead's back."""
        with connected(self.warehouse, self.schema) as connection, connection.cursor() as cursor:
            cursor.execute(sql)

    def statements(self) -> list[dict[str, str]]:
        """Return what the warehouse was sent since the site was made, the newest first."""
        return list(
            takewhile(lambda each: each["query_id"] != self.before, history(self.warehouse))
        )


@pytest.fixture
def site(tmp_path: Path, warehouse: Warehouse, schema: str) -> Iterator[Site]:
    """Give a site; no fault outlives the test."""
    url = url_of(warehouse, "main", schema)
    before = history(warehouse)[0]["query_id"]  # that made the schema
    yield Site(Project.create(tmp_path, {"eu": url}), warehouse, url, schema, before)
    warehouse.control.clear()


async def test_a_wrong_token(site: Site) -> None:
    """A token that the warehouse does not take: which warehouse, and what to do."""
    wrong = site.url.replace(quote(site.warehouse.token, ""), SECRET)
    site.project.configure({"eu": wrong})
    line = f"eu: wrong token for 127.0.0.1:{site.warehouse.port} (Invalid access token); it may"
    await site.fails(3, line, "replace it")
    await site.is_unreachable("wrong token", "replace it")
    site.project.configure({"eu": site.url})
    await site.comes_to_head()


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("catalog=main", "catalog=nowhere", 'eu: there is no catalog "nowhere" on 127.0.0.1:'),
        ("&schema=", "&schema=no_", 'eu: there is no schema "no_test_'),
    ],
    ids=["catalog", "schema"],
)
async def test_an_unknown_place(site: Site, old: str, new: str, line: str) -> None:
    """A catalog or a schema that is not there: which, and what to do."""
    site.project.configure({"eu": site.url.replace(old, new)})
    await site.fails(3, line, "create it, or correct it")
    await site.is_unreachable(line.removeprefix("eu: "), "create it, or correct it")


@pytest.mark.parametrize("name", ["hive_metastore", "spark_catalog"])
async def test_the_catalog_that_was_there_before(site: Site, name: str) -> None:
    """hive_metastore has other rules: it is refused by both of its names, and the line says why."""
    site.project.configure({"eu": site.url.replace("catalog=main", f"catalog={name}")})
    line = f"its URL cannot be used: catalog {name} is outside of Unity Catalog"
    await site.fails(3, f"eu: {line}", "name a catalog of Unity Catalog")
    await site.is_unreachable(line)


async def test_a_workspace_from_before(tmp_path: Path) -> None:
    """A URL without a catalog means the workspace's own: is that hive_metastore, it is refused."""
    with warehouse_process(catalogs=("hive_metastore", "main")) as warehouse:
        url = url_of(warehouse).replace("&catalog=main", "")
        site = Site(Project.create(tmp_path, {"eu": url}), warehouse, url, "default", "")
        line = (
            "its URL cannot be used: it has no catalog, and the workspace's own is hive_metastore"
        )
        await site.fails(3, f"eu: {line}", "name a catalog of Unity Catalog")
        await site.is_unreachable(line)
        site.project.configure({"eu": url_of(warehouse)})
        await site.comes_to_head()


@pytest.mark.parametrize(
    ("shadow", "line"),
    [
        ("none", "eu: revision b2: ["),
        ("auto", "eu: revision b2, statement 1 of 1 (ALTER TABLE t_a1"),
    ],
)
async def test_a_table_that_somebody_renamed(site: Site, shadow: str, line: str) -> None:
    """The run stops at the revision that misses it; with its name back, `sync` goes on."""
    site.shadow(shadow)
    site.project.add_script("b2", "a1", RENAMED)
    await site.succeeds("sync", "--to", "a1")
    await asyncio.to_thread(site.execute, "ALTER TABLE t_a1 RENAME TO t_mine")
    await site.fails(3, line, "[TABLE_OR_VIEW_NOT_FOUND]", "t_a1")
    await asyncio.to_thread(site.execute, "ALTER TABLE t_mine RENAME TO t_a1")
    await site.succeeds("sync")


async def test_names_that_need_quotes(site: Site) -> None:
    """Words of SQL, dots, blanks and backticks are fine in columns; a table has no dot."""
    site.project.add_script("b2", "a1", ODD)
    await site.succeeds("sync", "--to", "b2")
    site.project.add_script("c3", "b2", 'op.rename_table("t_a1", "my.table")')
    line = "eu: history app: revision c3: rename_table on t_a1: no table can have a name with '.'"
    await site.fails(4, line, "choose another")


async def test_a_schema_that_somebody_else_alters(site: Site) -> None:
    """What another commit came before is sent again; where that is no use, the line says so."""
    site.warehouse.control.add(Fault(FaultKind.OVERTAKEN, matching="t_b2", times=7))
    line = "eu: revision b2: another commit came first: [DELTA_METADATA_CHANGED]"
    await site.fails(3, line, "try again")
    assert site.ends("TABLE t_b2") == ["FAILED"] * 6
    await site.succeeds("sync")
    assert site.ends("TABLE t_b2") == ["FINISHED", *["FAILED"] * 7]


@pytest.mark.parametrize(("shadow", "line"), [("none", BROKE), ("auto", PLAN_BROKE)])
async def test_a_warehouse_that_is_deleted_in_mid_rollout(
    site: Site, shadow: str, line: str
) -> None:
    """The run stops in order, and the line says which warehouse is no more."""
    site.shadow(shadow)
    site.warehouse.control.add(Fault(FaultKind.SLOW, matching="t_b2", times=1))
    process = await site.project.start("sync")
    await until(lambda: ended(site, "TABLE t_b2", "RUNNING"))
    site.warehouse.control.add(Fault(FaultKind.DELETED))
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate()
    site.one_line(Said(process.returncode or 0, out.decode(), err.decode()), 3, line, "sync again")
    path = site.warehouse.http_path
    await site.fails(3, f"eu: there is no warehouse at {path} of 127.0.0.1", "check http_path")
    await site.is_unreachable("there is no warehouse at")
    site.warehouse.control.clear()  # as another one in its place would
    await until(lambda: ended(site, "TABLE t_b2", "FINISHED"))
    await site.comes_to_head()


async def test_a_token_that_expires_in_mid_run(site: Site) -> None:
    """The run stops in order; with a new token `sync` sends what is missing, and that alone."""
    site.warehouse.control.add(Fault(FaultKind.SLOW, matching="t_b2", times=1))
    process = await site.project.start("sync")
    await until(lambda: ended(site, "TABLE t_b2", "RUNNING"))
    site.warehouse.control.add(Fault(FaultKind.EXPIRED_TOKEN))
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate()
    site.one_line(Said(process.returncode or 0, out.decode(), err.decode()), 3, BROKE, "sync again")
    assert out.decode().splitlines() == ["eu: 3 steps", "eu: a1 (1/3)"]
    await site.is_unreachable("wrong token", "may have expired")
    site.warehouse.control.clear()  # as a new token would; what it kept waiting goes on, too
    await until(lambda: ended(site, "TABLE t_b2", "FINISHED"))
    said = await site.comes_to_head()
    assert said.out.splitlines()[:2] == ["eu: 2 steps", "eu: b2 (1/2)"]


async def ended(site: Site, text: str, status: str) -> bool:
    """Tell whether the statement with *text* has that status."""
    return await asyncio.to_thread(site.ends, text) == [status]


async def test_503_for_a_minute(site: Site) -> None:
    """A warehouse that is not available is given up in time; when it is back nothing is lost."""
    site.warehouse.control.add(Fault(FaultKind.UNAVAILABLE))
    line = "did not open a session in time"
    await site.fails(3, f"eu: 127.0.0.1:{site.warehouse.port} {line}", "try again later")
    await site.is_unreachable(line, "try again later")
    site.warehouse.control.clear()
    await site.comes_to_head()


async def test_503_for_a_moment(site: Site) -> None:
    """Who opens a session asks again where the warehouse wants it so."""
    site.warehouse.control.add(Fault(FaultKind.UNAVAILABLE, times=2))
    await site.comes_to_head()


async def test_a_cut_in_mid_statement(site: Site) -> None:
    """A statement that took effect unseen is found by looking, and not sent again."""
    site.warehouse.control.add(Fault(FaultKind.CUT_AFTER, matching="t_b2", times=1))
    await site.fails(3, BROKE, "sync again")
    assert site.ends("TABLE t_b2") == ["FINISHED"]
    said = await site.comes_to_head()
    assert said.out.splitlines()[:2] == ["eu: 2 steps", "eu: b2 (1/2)"]


@pytest.mark.parametrize("kind", [FaultKind.CUT_BEFORE, FaultKind.UNAVAILABLE])
async def test_a_statement_that_nobody_knows_of(site: Site, kind: FaultKind) -> None:
    """Where the warehouse shows nothing of a statement a person looks, and `settle` says it."""
    site.warehouse.control.add(Fault(kind, matching="t_b2", times=1))
    await site.fails(3, BROKE, "sync again")
    said = await site.fails(
        5, "eu: nobody can tell whether statement", "of revision b2 took effect"
    )
    command = said.err.partition("then levelhead ")[2].partition(" (or absent)")[0]
    await site.succeeds(*command.replace("applied", "absent").split())
    await site.comes_to_head()


async def test_a_mixed_revision(site: Site) -> None:
    """What cannot be said on Databricks is refused before anything is sent, steps before it too."""
    site.project.add_script("b2", "a1", MIXED)
    line = "eu: history app: revision b2: add_column on t_a1: type TSVECTOR has no counterpart"
    await site.fails(4, line)
    texts = [each["query_text"] for each in site.statements()]
    assert texts
    assert [text for text in texts if not text.startswith(READS)] == []
    site.project.add_script("b2", "a1")
    await site.comes_to_head()


async def test_a_skip_that_is_refused(site: Site) -> None:
    """What must not be left out is refused before anything is sent; allowed, it is skipped."""
    site.project.add_script("b2", "a1", 'op.create_index("ix_id", "t_a1", ["id"])')
    known = site.project.setting('refuse_skips = ["index", "unique"]')
    line = "revision b2: create_index on t_a1: ix_id on t_a1 has no counterpart"
    await site.fails(4, f"eu: history app: {line}", "'index' is in refuse_skips of the history")
    assert site.ends("TABLE t_a1") == []
    site.project.toml.write_text(known)
    await site.succeeds("sync")


@pytest.mark.parametrize(
    ("kinds", "mistake"),
    [
        ('["indexes"]', 'no kind of skip "indexes" (did you mean "index"?)'),
        ('["zebra"]', 'no kind of skip "zebra"; known are index, unique, exclude'),
        ('"index"', 'must be a list such as ["index", "unique"]'),
    ],
)
async def test_a_kind_of_skip_that_is_not_known(site: Site, kinds: str, mistake: str) -> None:
    """Who refuses what nothing skips is told in one line, and which kinds there are."""
    site.project.setting(f"refuse_skips = {kinds}")
    await site.fails(2, 'history "app".refuse_skips: ', mistake)


async def test_an_interpreter_without_the_dialect(site: Site) -> None:
    """A history's Python that cannot talk to Databricks: which, what it lacks, and what to do."""
    python = bare_python(site.project.root, "sqlalchemy", "alembic", "mako", "markupsafe")
    known = site.project.setting(f'python = "{python}"')
    lacks = "No module named 'databricks'; install what the dialect needs there"
    await site.fails(4, f"eu: history app: {BASE_PYTHON}: {lacks}", "see `python` of the history")
    assert site.ends("TABLE t_a1") == []
    site.project.toml.write_text(known)
    await site.comes_to_head()


async def test_the_extra_is_not_installed(site: Site) -> None:
    """Without the extra, what looks at a target says in one line what to install."""
    without = without_databricks(site)
    lacks = "the provider for 'databricks' needs 'databricks', which is not installed; "
    remedy = f"{lacks}pip install 'levelhead[databricks]'"
    for command, code in (("check", 2), ("sync --dry-run", 1)):
        said = await without.run(*command.split())
        (line,) = [line for line in said.out.splitlines() if remedy in line]
        assert (said.code, said.err) == (code, "")
        assert re.search(r"\beu\b", line.partition(remedy)[0])
    site.one_line(await without.run("sync"), 2, f"eu: {remedy}")
    status = await without.run("status")
    assert (status.code, remedy in status.out) == (1, True)


def without_databricks(site: Site) -> Project:
    """Return the site's project where `databricks` cannot be imported."""
    folder = site.project.root / "hidden"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text('import sys\nsys.modules["databricks"] = None\n')
    path = f"{folder}:{Path(__file__).parents[2]}"
    return Project(site.project.root, {"PYTHONPATH": path})


async def test_the_connector_keeps_still(site: Site) -> None:
    """What ends a runner is not overlaid by what the connector logs at each connection."""
    (site.project.root / "migrations" / "env.py").write_text(ENDS_EARLY)
    said = await site.fails(5, "eu: the runner ended with status 3 without a word")
    assert said.err.endswith("without a word\n")


FAILING: dict[str, Callable[[Site], None]] = {
    "cut": lambda site: site.warehouse.control.add(Fault(FaultKind.CUT_AFTER, matching="t_b2")),
    "503": lambda site: site.warehouse.control.add(Fault(FaultKind.UNAVAILABLE)),
    "token": lambda site: site.warehouse.control.add(Fault(FaultKind.EXPIRED_TOKEN)),
    "refused": lambda site: site.project.add_script(
        "b2", "a1", 'op.execute("CREATE TABLE t_a1 (")'
    ),
}


@pytest.mark.parametrize("how", FAILING)
async def test_a_service_logs_no_noise_of_the_connector(site: Site, how: str) -> None:
    """Whatever fails on a warehouse is an event and a status; the service's log stays as it is."""
    FAILING[how](site)
    process = await site.project.start("serve", "--port", "0")
    try:
        await until(lambda: has_problem(site))
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate()
    assert process.returncode == 0
    assert err == b""
    site.keeps_secrets(Said(0, out.decode(), err.decode()))


async def has_problem(site: Site) -> bool:
    """Tell whether something is on record that keeps the target from head."""
    said = await site.project.run("events", "--json")
    kinds = {"target.unreachable", "run.failed", "run.interrupted"}
    return said.code == 0 and not kinds.isdisjoint(each["kind"] for each in said.json())
