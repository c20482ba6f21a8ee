"""One history on Postgres and on Databricks: the schemas differ by the named skips alone.

Both are read by what the databases say of themselves, never by the code that made them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from databricks.sql.client import Cursor
from sqlalchemy import Inspector, create_engine, inspect
from sqlalchemy.dialects.postgresql import ENUM, UUID, VARCHAR

from providers.databricks.warehouse import Warehouse
from sync.model import Run, RunState, Verb
from sync.runtime import Runtime
from sync.settings import Settings
from tests.support.engine import at, events, opened_runtime, ordered, settings_for, swept
from tests.support.histories import Scripts
from tests.support.warehouse_client import session
from tests.support.warehouse_targets import url_of

pytest_plugins = ["tests.support.warehouse"]

ROOT = Path(__file__).parents[2]
VERSIONS = "alembic_version"

#: Type on Postgres -> the same in a script, and its name on Databricks. What is lost with it
#: is a skip of its own.
TYPES: Mapping[str, tuple[str, str]] = {
    "DATE": ("Date()", "DATE"),
    "INTEGER": ("Integer()", "INT"),
    "NUMERIC(10, 2)": ("Numeric(10, 2)", "DECIMAL(10,2)"),
    "SMALLINT": ("SmallInteger()", "SMALLINT"),
    "TIMESTAMP WITH TIME ZONE": ("DateTime(timezone=True)", "TIMESTAMP"),
    "UUID": ("Uuid()", "STRING"),
    "VARCHAR(50)": ("String(50)", "STRING"),
    "VARCHAR(32)": ("String(50)", "STRING"),  # Alembic's own column
    "VARCHAR(255)": ("String(50)", "STRING"),
}

#: One of everything that the sample history has none of.
FIRST = """
op.create_table(
    "teams",
    sa.Column("id", sa.Integer, nullable=False),
    sa.Column("name", sa.String(50), nullable=False, server_default="red", comment="of shirts"),
    sa.PrimaryKeyConstraint("id", name="pk_teams"),
    comment="who plays together",
)
op.create_table(
    "players",
    sa.Column("id", sa.Uuid, nullable=False),
    sa.Column("nick", sa.String(50)),
    sa.Column("state", sa.Enum("open", "shut", name="states")),
    sa.Column("born", sa.Date),
    sa.Column("points", sa.Numeric(10, 2), server_default="0"),
    sa.Column("home", sa.Integer),
    sa.Column("guest", sa.Integer),
    sa.PrimaryKeyConstraint("id", name="pk_players"),
    sa.ForeignKeyConstraint(["home"], ["teams.id"], name="fk_home", ondelete="SET NULL"),
    sa.ForeignKeyConstraint(["guest"], ["teams.id"], name="fk_guest"),
    sa.UniqueConstraint("nick", name="uq_nick"),
    sa.CheckConstraint("points >= 0", name="ck_points"),
)
op.create_index("ix_born", "players", ["born"])
op.create_index("ux_home", "players", ["home", "nick"], unique=True)
"""
SECOND = """
op.add_column("players", sa.Column("rank", sa.SmallInteger, server_default="1", nullable=False))
op.alter_column("players", "born", new_column_name="birthday", existing_type=sa.Date)
op.alter_column("players", "rank", comment="of ten", existing_type=sa.SmallInteger)
op.create_foreign_key(
    "fk_rank", "players", "teams", ["rank"], ["id"], onupdate="CASCADE", deferrable=True
)
"""
NO_FIRST = """
op.drop_table("players")
op.drop_table("teams")
if op.get_bind().dialect.name == "postgresql":
    op.execute("DROP TYPE states")
"""
NO_SECOND = """
op.drop_constraint("fk_rank", "players", type_="foreignkey")
op.drop_column("players", "rank")
op.alter_column("players", "birthday", new_column_name="born", existing_type=sa.Date)
"""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a schema holds, in words of no dialect."""

    kind: str  #: what has no counterpart on Databricks is called as its skip is
    table: str
    name: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Named:
    """What is missing on Databricks, as a skip names it."""

    kind: str
    words: str


Schema: TypeAlias = frozenset[Fact]
Row: TypeAlias = tuple[Any, ...]
Rows: TypeAlias = Callable[[str, str], list[Row]]
Make: TypeAlias = Callable[[Scripts, Sequence[str]], Settings]


def column(table: str, place: int, name: str, *traits: object) -> Fact:
    """Return the fact of a column; its traits are type, nullable, default and comment."""
    return Fact("column", table, name, f"{place}: {traits}")


def on_postgres(url: str) -> Schema:
    """Return what the database holds."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    try:
        inspector = inspect(engine)
        tables = inspector.get_table_names()
        return frozenset(fact for table in tables for fact in table_on_postgres(inspector, table))
    finally:
        engine.dispose()


def table_on_postgres(inspector: Inspector, table: str) -> Iterator[Fact]:
    """Yield all that there is to say of one table."""
    yield Fact("table", table, table, str(inspector.get_table_comment(table)["text"]))
    for place, found in enumerate(inspector.get_columns(table)):
        yield from column_on_postgres(inspector, table, place, dict(found))
    key = inspector.get_pk_constraint(table)
    yield Fact("primary key", table, str(key["name"]), listed(key["constrained_columns"]))
    for foreign in inspector.get_foreign_keys(table):
        yield from foreign_key_on_postgres(table, dict(foreign))
    for unique in inspector.get_unique_constraints(table):
        yield Fact("unique", table, str(unique["name"]), listed(unique["column_names"]))
    for index in inspector.get_indexes(table):
        if "duplicates_constraint" not in index:
            kind = "unique" if index["unique"] else "index"
            yield Fact(kind, table, str(index["name"]), listed(index["column_names"]))
    for check in inspector.get_check_constraints(table):
        yield Fact("check", table, str(check["name"]), neutral(check["sqltext"]))


def column_on_postgres(
    inspector: Inspector, table: str, place: int, found: dict[str, Any]
) -> Iterator[Fact]:
    """Yield a column; that it is numbered, or that its values are listed, is a fact of its own."""
    name, type_, default = found["name"], found["type"], found["default"]
    if isinstance(type_, ENUM):
        yield Fact("enum", table, name, listed(type_.enums))
    if default and default.startswith("nextval("):
        yield Fact("autoincrement", table, name)
        default = None
    written = "VARCHAR(50)" if isinstance(type_, ENUM) else type_.compile(inspector.dialect)
    counterpart = TYPES[written][1]
    if isinstance(type_, UUID):
        yield Fact("type", table, f"{name} (UUID)")
    if isinstance(type_, VARCHAR) and table != VERSIONS:
        yield Fact("length", table, f"{name} ({type_.length})")
    yield column(
        table, place, name, counterpart, found["nullable"], plain(default), found["comment"]
    )


def foreign_key_on_postgres(table: str, found: dict[str, Any]) -> Iterator[Fact]:
    """Yield a foreign key; what it does to rows is a fact of its own."""
    options, name = found["options"], found["name"]
    columns, referred = listed(found["constrained_columns"]), listed(found["referred_columns"])
    yield Fact("foreign key", table, name, f"{columns} -> {found['referred_table']} {referred}")
    acts = [
        f"ON {verb} {options[option]}"
        for verb, option in (("DELETE", "ondelete"), ("UPDATE", "onupdate"))
        if option in options
    ]
    acts += ["DEFERRABLE"] if options.get("deferrable") else []
    if acts:
        yield Fact("foreign-key-action", table, name, ", ".join(acts))


def on_databricks(warehouse: Warehouse, schema: str) -> Schema:
    """Return what the schema holds."""
    with session(warehouse) as cursor:
        return frozenset(facts_on_databricks(cursor, schema))


def facts_on_databricks(cursor: Cursor, schema: str) -> Iterator[Fact]:
    """Yield all that there is to say of all tables."""

    def rows(what: str, columns: str) -> list[Row]:
        subject = "table" if what in {"tables", "columns"} else "constraint"
        cursor.execute(
            f"SELECT {columns} FROM main.information_schema.{what}"
            f" WHERE {subject}_schema = '{schema}'"
        )
        return [tuple(row) for row in cursor.fetchall()]

    for table, comment in rows("tables", "table_name, comment"):
        yield Fact("table", table, table, str(comment))
    yield from columns_on_databricks(rows)
    yield from constraints_on_databricks(rows)


def columns_on_databricks(rows: Rows) -> Iterator[Fact]:
    """Yield the columns of all tables; how places are counted does not matter."""
    wanted = "column_name, full_data_type, is_nullable, column_default, comment"
    found = sorted(rows("columns", f"table_name, ordinal_position, {wanted}"))
    last: dict[str, int] = {}
    for table, _, name, type_, nullable, default, comment in found:
        place = last[table] = last.get(table, -1) + 1
        traits = (type_.upper(), nullable == "YES", plain(default), comment)
        yield column(table, place, name, *traits)


def constraints_on_databricks(rows: Rows) -> Iterator[Fact]:
    """Yield the keys and checks of all tables; there is nothing else, or the test fails."""
    keys: dict[str, list[str]] = {}
    for name, _, of_key in sorted(
        rows("key_column_usage", "constraint_name, ordinal_position, column_name")
    ):
        keys.setdefault(name, []).append(of_key)
    checks: dict[str, str] = dict(rows("check_constraints", "constraint_name, check_clause"))
    wanted = "constraint_name, unique_constraint_name"
    referred: dict[str, str] = dict(rows("referential_constraints", wanted))
    found = rows("table_constraints", "constraint_name, table_name, constraint_type")
    tables = {name: table for name, table, _ in found}
    for name, table, kind in found:
        if kind == "CHECK":
            yield Fact("check", table, name, neutral(without_null(checks[name])))
        elif kind == "PRIMARY KEY":
            yield Fact("primary key", table, name, listed(keys[name]))
        elif kind == "FOREIGN KEY":
            parent = f"{tables[referred[name]]} {listed(keys[referred[name]])}"
            yield Fact("foreign key", table, name, f"{listed(keys[name])} -> {parent}")
        else:
            raise AssertionError(f"{name} on {table} is a {kind}")


def listed(names: Sequence[str | None]) -> str:
    """Return names in their order."""
    return f"({', '.join(map(str, names))})"


def plain(default: str | None) -> str | None:
    """Return a default without what Postgres adds: its type, and the quotes around a number."""
    text = re.sub(r"^'([^']*)'::(?:numeric|smallint|integer)$", r"\1", default or "")
    return re.sub(r"::[a-z ]+$", "", text) or None


def neutral(condition: str) -> str:
    """Return a condition without the types that Postgres writes into it, and parentheses."""
    return re.sub(r"::[a-z]+|[()]", "", condition)


def without_null(condition: str) -> str:
    """Return a condition without what lets NULL pass, as on Postgres any CHECK does by itself."""
    plain = condition.removesuffix(" IS NOT FALSE")
    assert plain != condition
    return plain


def missing(postgres: Schema, databricks: Schema) -> list[Named]:
    """Return what Databricks lacks; it has nothing that Postgres lacks."""
    assert databricks - postgres == frozenset()
    return in_order(named(fact) for fact in postgres - databricks)


def named(fact: Fact) -> Named:
    """Return how a skip has to name *fact*."""
    where = f"{fact.name} on {fact.table}"
    acts = fact.kind == "foreign-key-action"
    return Named(fact.kind, f"{where} loses {fact.detail}" if acts else where)


async def told(runtime: Runtime, run: Run) -> list[Named]:
    """Return what the audit log says that *run* left out."""
    skipped = await events(runtime, run=run.id, kind="directive.skipped")
    return in_order(
        Named(str(skip.data["directive"]), words)
        for skip in skipped
        for words in words_of(str(skip.data["detail"]))
    )


def words_of(detail: str) -> Iterator[str]:
    """Yield what the detail of a skip names, which may be several columns of one table."""
    found = re.match(r"(.+?) on (\w+)( loses [A-Z, ]+)?", detail)
    assert found, detail
    yield from (f"{name} on {found[2]}{found[3] or ''}" for name in found[1].split(", "))


def in_order(found: Iterator[Named]) -> list[Named]:
    """Return *found* sorted; what is there twice stays there twice."""
    return sorted(found, key=lambda each: (each.kind, each.words))


def sample(scripts: Scripts, urls: Sequence[str]) -> Settings:
    """Return settings for the sample history."""
    settings = settings_for(scripts, urls)
    history = replace(settings.histories["app"], config=ROOT / "alembic.ini")
    return replace(settings, histories={"app": history})


def one_of_everything(scripts: Scripts, urls: Sequence[str]) -> Settings:
    """Return settings for a history with what the sample lacks."""
    scripts.add("a1", FIRST, downgrade=NO_FIRST)
    scripts.add("a2", SECOND, downgrade=NO_SECOND)
    return settings_for(scripts, urls)


@pytest.mark.parametrize("make", [sample, one_of_everything])
async def test_two_schemas_differ_by_the_named_skips_alone(
    scripts: Scripts, url: str, warehouse: Warehouse, schema: str, make: Make
) -> None:
    """Up, down to base and up on both: what differs is what the run named, and all of that."""

    async def looked() -> tuple[Schema, Schema]:
        return await asyncio.to_thread(on_postgres, url), await asyncio.to_thread(
            on_databricks, warehouse, schema
        )

    settings = make(scripts, [url, url_of(warehouse, "main", schema)])
    async with opened_runtime(settings) as runtime:
        head = (await runtime.graph("app")).heads
        first = by_target(await swept(runtime))
        before = await looked()
        assert missing(*before) == await told(runtime, first["db-2"]) != []

        down = await turned(runtime, settings, Verb.DOWNGRADE, "base")
        assert {run.after for run in down.values()} == {at()}
        empty = await looked()
        assert {fact.table for fact in empty[0]} == {VERSIONS}
        assert missing(*empty) == []

        again = await turned(runtime, settings, Verb.SYNC, "head")
        assert {run.after for run in again.values()} == {head}
        assert await looked() == before
        assert await told(runtime, again["db-2"]) == missing(*before)
        for runs in (first, down, again):
            assert await told(runtime, runs["db-1"]) == []


async def turned(runtime: Runtime, settings: Settings, verb: Verb, to: str) -> dict[str, Run]:
    """Carry out an order on both targets, whatever holds them; return target -> run."""
    for name in settings.targets:
        await runtime.release(name, actor="ada")
    return by_target(await ordered(runtime, verb, to))


def by_target(runs: Sequence[Run]) -> dict[str, Run]:
    """Return target -> run; all have succeeded."""
    assert [(run.state, run.error) for run in runs] == [(RunState.SUCCEEDED, None)] * 2
    return {run.target: run for run in runs}


def test_users_are_told_of_types_that_get_another_name() -> None:
    """Each type that the comparison takes for its counterpart stands so on the dialect's page."""
    page = (ROOT / "docs" / "reference" / "databricks.md").read_text()
    for written, name in TYPES.values():
        assert f"| `sa.{written}` | `{name}` |" in page
