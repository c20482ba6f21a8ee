"""Everything Alembic can express: a compiled plan leaves what Alembic itself leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import pytest

from sync.model import Run
from tests.support.engine import at, execute, opened_runtime, settings_for, status, version
from tests.support.histories import Scripts
from tests.support.parity import Pair, run_live
from tests.support.postgres import Databases

CONFIGURE = """\
from alembic import context
from sqlalchemy import engine_from_config, pool

section = context.config.get_section("alembic")
engine = engine_from_config(section, poolclass=pool.NullPool)
with engine.connect() as connection:
    {ahead}
    context.configure(connection=connection{options})
    with context.begin_transaction():
        context.run_migrations()
"""


class Paired(Protocol):
    """Opens the engine on one of two databases, which are Alembic's and ours."""

    def __call__(
        self,
        *,
        history: str = "",
        target: str = "",
        prepare: str = "SELECT",
        version_table: str = "alembic_version",
    ) -> AbstractAsyncContextManager[Pair]:
        """Give the pair; both databases are prepared with the same SQL."""
        ...


@pytest.fixture
async def paired(scripts: Scripts, databases: Databases) -> Paired:
    """Give a function that opens the engine; shadows are made on the same server."""
    plain, ours, place = await databases(3)

    @asynccontextmanager
    async def pair(
        *,
        history: str = "",
        target: str = "",
        prepare: str = "SELECT",
        version_table: str = "alembic_version",
    ) -> AsyncIterator[Pair]:
        for url in (plain, ours):
            await execute(url, prepare)
        settings = settings_for(scripts, [ours], shadow=place, history=history, target=target)
        async with opened_runtime(settings) as runtime:
            yield Pair(scripts, runtime, plain, ours, version_table=version_table)

    return pair


def add_tables(
    scripts: Scripts, *revisions: str, after: str | tuple[str, ...] | None = "", more: str = ""
) -> None:
    """Write revisions that each make a table with an index, and take it back."""
    for revision in revisions:
        scripts.add(
            revision,
            f'op.create_table("t_{revision}", sa.Column("id", sa.Integer, primary_key=True),\n'
            '    sa.Column("name", sa.Text, index=True))\n'
            f"op.execute(\"INSERT INTO t_{revision} VALUES (1, '{revision}')\")",
            downgrade=f'op.drop_table("t_{revision}")',
            after=after,
            more=more,
        )
        after, more = "", ""


async def require_replayed(pair: Pair, runs: Sequence[Run]) -> None:
    """Require that no script has run against the target itself."""
    for run in runs:
        assert await run_live(pair.runtime, run) == set()


async def test_a_line_goes_up_and_down_by_every_kind_of_name(
    scripts: Scripts, paired: Paired
) -> None:
    """Full, partial and relative names, head and base, mean what they mean to Alembic."""
    add_tables(scripts, "aa11", "bb22", "cc33", "dd44", "ee55")
    async with paired() as pair:
        runs = [await pair.sync(to) for to in ("aa11", "+1", "cc", "aa11+3", "ee55-1", "head")]
        runs += [await pair.downgrade(to) for to in ("-1", "cc33", "dd44-2", "base")]
        runs.append(await pair.sync("head"))
        await require_replayed(pair, runs)


async def test_several_heads_and_a_merge(scripts: Scripts, paired: Paired) -> None:
    """Branches are applied one by one or together, merged, and taken apart again."""
    add_tables(scripts, "a1")
    add_tables(scripts, "b1", "b2", after="a1")
    add_tables(scripts, "c1", "c2", after="a1")
    async with paired() as pair:
        runs = [await pair.sync(to) for to in ("b2", "c1", "heads")]
        add_tables(scripts, "m1", after=("b2", "c2"))
        runs += [await pair.sync("head"), await pair.downgrade("b2"), await pair.downgrade("a1")]
        runs += [await pair.sync("head"), await pair.downgrade("base")]
        await require_replayed(pair, runs)


async def test_branch_labels_and_depends_on(scripts: Scripts, paired: Paired) -> None:
    """Independent bases with labels; one branch depends on the other without following it."""
    add_tables(scripts, "a1", "a2", "a3", after=None, more='branch_labels = ("app",)')
    add_tables(scripts, "s1", after=None, more='branch_labels = ("shop",)\ndepends_on = "a2"')
    add_tables(scripts, "s2")
    async with paired() as pair:
        runs = [await pair.sync(to) for to in ("shop@s1", "app@head", "shop@+1")]
        runs += [await pair.downgrade(to) for to in ("shop@-1", "app@a2", "shop@base", "app@base")]
        runs.append(await pair.sync("heads"))
        await require_replayed(pair, runs)


async def test_several_places_for_versions(scripts: Scripts, paired: Paired) -> None:
    """`version_locations` may name several folders."""
    more = scripts.folder / "more"
    more.mkdir()
    places = "%(here)s/migrations/versions %(here)s/more"
    with scripts.config.open("a") as ini:
        ini.write(f"version_locations = {places}\npath_separator = space\n")
    add_tables(scripts, "a1")
    scripts.add("a2", 'op.create_table("t_a2")', downgrade='op.drop_table("t_a2")', place=more)
    async with paired() as pair:
        runs = [await pair.sync("head"), await pair.downgrade("a1"), await pair.downgrade("base")]
        await require_replayed(pair, runs)


@pytest.mark.parametrize(
    "options",
    ["", ", transaction_per_migration=True", ", transactional_ddl=False"],
    ids=["whole", "each", "none"],
)
async def test_autocommit_blocks_between_transactions(
    scripts: Scripts, paired: Paired, options: str
) -> None:
    """What must not be in a transaction is not, however env.py asks for transactions."""
    scripts.write_env(CONFIGURE.format(ahead="pass", options=options))
    add_tables(scripts, "a1")
    scripts.add(
        "a2",
        """
        op.execute("CREATE TYPE mood AS ENUM ('calm')")
        with op.get_context().autocommit_block():
            op.execute("ALTER TYPE mood ADD VALUE 'wild'")
            op.create_index("ix", "t_a1", ["name"], postgresql_concurrently=True)
        op.add_column("t_a1", sa.Column("mood", sa.Enum("wild", name="mood", create_type=False)))
        op.execute("UPDATE t_a1 SET mood = 'wild'")
        """,
        downgrade="""
        op.drop_column("t_a1", "mood")
        with op.get_context().autocommit_block():
            op.drop_index("ix", postgresql_concurrently=True)
        op.execute("DROP TYPE mood")
        """,
    )
    add_tables(scripts, "a3")
    async with paired() as pair:
        runs = [await pair.sync("head"), await pair.downgrade("a1"), await pair.sync("head")]
        await require_replayed(pair, runs)


async def test_another_version_table_in_another_schema(scripts: Scripts, paired: Paired) -> None:
    """The version table that the settings name is stamped, and only that."""
    options = ', version_table="changes", version_table_schema="ledger", include_schemas=True'
    scripts.write_env(CONFIGURE.format(ahead="pass", options=options))
    add_tables(scripts, "a1", "a2")
    history = 'version_table = "changes"\nversion_table_schema = "ledger"'
    async with paired(
        history=history, prepare="CREATE SCHEMA ledger", version_table="ledger.changes"
    ) as pair:
        runs = [await pair.sync("head"), await pair.downgrade("a1")]
        await require_replayed(pair, runs)


async def test_schemas_that_are_translated(scripts: Scripts, paired: Paired) -> None:
    """`schema_translate_map` of env.py's connection decides where tables go."""
    ahead = (
        'connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS there"); connection.commit()\n'
        '    connection = connection.execution_options(schema_translate_map={"here": "there"})'
    )
    scripts.write_env(CONFIGURE.format(ahead=ahead, options=""))
    scripts.add(
        "a1",
        'op.create_table("one", sa.Column("id", sa.Integer), schema="here")\n'
        'sa.Table("two", sa.MetaData(), sa.Column("id", sa.Integer), schema="here")'
        ".create(op.get_bind(), checkfirst=False)",
        downgrade='op.drop_table("one", schema="here")\nop.execute("DROP TABLE there.two")',
    )
    async with paired() as pair:
        runs = [await pair.sync("head"), await pair.downgrade("base")]
        await require_replayed(pair, runs)


async def test_a_schema_of_ones_own(scripts: Scripts, databases: Databases) -> None:
    """Two schemas of one database: the plan of each goes into its own."""
    ours, place = await databases(2)
    await execute(ours, 'CREATE SCHEMA one; CREATE SCHEMA "Two"')
    scripts.add("a1", 'op.create_table("t", sa.Column("id", sa.Integer, primary_key=True))')
    scripts.add("a2", 'op.create_table("u", sa.Column("id", sa.Integer, sa.ForeignKey("t.id")))')
    targets = ('schema = "one"', 'schema = "Two"')
    settings = settings_for(scripts, [ours, ours], shadow=place, target=targets)
    async with opened_runtime(settings) as runtime:
        rollout = await runtime.sweep()
        assert rollout
        done = await runtime.finished(rollout.id)
        assert [run.error for run in done.runs] == [None, None]
        for run in done.runs:
            assert await run_live(runtime, run) == set()
        assert (await status(runtime, "db-2")).heads == at("a2")
    assert await version(ours, "one.alembic_version") == {"a2"}
    assert await version(ours, '"Two".alembic_version') == {"a2"}
