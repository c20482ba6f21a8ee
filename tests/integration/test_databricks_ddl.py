"""Directives sent to a SQL warehouse: the real client, the local warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from databricks.sql.client import Cursor
from databricks.sql.exc import ServerOperationError
from sqlalchemy import event
from sqlalchemy.pool import NullPool

from providers.databricks.ddl import RefusedDirectiveError, install
from providers.databricks.warehouse import Warehouse
from tests.support.databricks_rows import PREPARED, ROWS, Row, run

pytest_plugins = ["tests.support.warehouse"]


@dataclass(slots=True)
class Live:
    """Alembic on a connection, what it sent, and what was skipped."""

    op: Operations
    sent: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    noted: list[tuple[str, str]] = field(default_factory=list)

    def run(self, call: str) -> None:
        """Run one line of a revision."""
        run(call, self.op)

    def note_statement(self, *arguments: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own arguments
        """Take down a statement that is about to be sent, unless it only reads."""
        statement = " ".join(arguments[2].split())
        if not statement.startswith("DESCRIBE"):
            self.sent.append(statement)

    def note_skip(self, kind: str, detail: str) -> None:
        """Take down a skip."""
        self.skipped.append((kind, detail))

    def note_note(self, kind: str, detail: str) -> None:
        """Take down a note."""
        self.noted.append((kind, detail))


@pytest.fixture
def live(warehouse: Warehouse, schema: str, cursor: Cursor) -> Iterator[Live]:
    """Give Alembic in a schema that has the tables of the reference."""
    for statement in PREPARED:
        cursor.execute(statement)
    engine = sa.create_engine(
        warehouse.url(schema=schema), poolclass=NullPool, connect_args=warehouse.connect_args()
    )
    with engine.connect() as connection:
        given = Live(Operations(MigrationContext.configure(connection)))
        install(given.note_skip, given.note_note)
        event.listen(engine, "before_cursor_execute", given.note_statement)
        # Made again: the first one was made before the rules were there.
        given.op = Operations(MigrationContext.configure(connection))
        yield given


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.call)
def test_a_warehouse_takes_what_is_sent(row: Row, live: Live) -> None:
    """Each directive is accepted by the warehouse, skipped by name, or refused unsent."""
    if row.refusal:
        with pytest.raises(RefusedDirectiveError) as refused:
            live.run(row.call)
        assert str(refused.value) == row.refusal
        assert live.sent == []
        return
    live.run(row.call)
    assert live.skipped == list(row.skips)
    assert live.noted == list(row.notes)
    assert len(live.sent) == len(row.sends)
    if row.source != "insert":  # its values travel apart
        assert live.sent == list(row.sends)


def test_an_added_column_is_filled(live: Live, cursor: Cursor) -> None:
    """Rows that were there get the default of a new column, as on Postgres; new rows too."""
    column = 'sa.Column("kids", sa.Integer(), server_default="2", nullable=False)'
    live.run(f'op.add_column("people", {column})')
    cursor.execute("INSERT INTO people (id, nick) VALUES ('2', 'bob')")
    cursor.execute("SELECT id, kids FROM people ORDER BY id")
    assert [tuple(row) for row in cursor.fetchall()] == [("1", 2), ("2", 2)]


def test_a_check_lets_null_pass(live: Live, cursor: Cursor) -> None:
    """A CHECK refuses what is false, as on Postgres, and not what nobody knows."""
    live.op.execute("INSERT INTO people (id, nick) VALUES ('2', 'bob')")
    live.run('op.create_check_constraint("ck_age", "people", "age > 0")')
    cursor.execute("INSERT INTO people (id, nick) VALUES ('3', 'cid')")
    with pytest.raises(ServerOperationError, match="CHECK constraint ck_age"):
        cursor.execute("INSERT INTO people (id, nick, age) VALUES ('4', 'dan', -1)")


def test_bytes_travel_in_any_statement(live: Live, cursor: Cursor) -> None:
    """Bytes are sent as a text of which the warehouse makes them; what has none is NULL."""
    files = sa.table("files", sa.column("id"), sa.column("body", sa.LargeBinary))
    live.op.bulk_insert(files, [{"id": "1", "body": b"\x00\xff"}, {"id": "2", "body": None}])
    live.op.execute(files.insert().values(id="3", body=bytearray(b"a")))
    live.op.execute(files.update().where(files.c.body == b"a").values(body=sa.func.unhex("62")))
    cursor.execute("SELECT id, body FROM files ORDER BY id")
    assert [tuple(row) for row in cursor.fetchall()] == [
        ("1", b"\x00\xff"),
        ("2", None),
        ("3", b"b"),
    ]


def test_a_primary_key_takes_columns_that_held_null(live: Live, cursor: Cursor) -> None:
    """The columns of a primary key become NOT NULL with it, as on Postgres."""
    live.run('op.drop_constraint("pk_people", "people", type_="primary")')
    live.run('op.create_primary_key("pk_people", "people", ["id", "age"])')
    cursor.execute("SHOW CREATE TABLE people")
    ((shown,),) = cursor.fetchall()
    assert "age INT NOT NULL" in shown


def test_a_batch_alters_in_place(live: Live, cursor: Cursor) -> None:
    """A batch comes to plain ALTERs: the table keeps its rows and its history."""
    with live.op.batch_alter_table("people") as batch:
        batch.alter_column("age", new_column_name="order")
        batch.add_column(sa.Column("mail", sa.String()))
    cursor.execute("SELECT id, nick, `order`, mail FROM people")
    assert [tuple(row) for row in cursor.fetchall()] == [("1", "ada", 36, None)]
    cursor.execute("DESCRIBE HISTORY people")
    assert cursor.fetchall()[-1].operation == "CREATE TABLE"


def test_words_of_sql_and_odd_names_are_quoted(live: Live, cursor: Cursor) -> None:
    """Names are quoted where they must be; a text keeps quotes, colons and percent signs."""
    text = "it's 5 % of: a \\ b"
    live.op.create_table(
        "group",
        sa.Column("select", sa.String(), server_default=text, comment=text),
        sa.Column("with-hyphen", sa.Integer()),
    )
    live.op.alter_column("group", "with-hyphen", new_column_name="from")
    cursor.execute("INSERT INTO `group` (`from`) VALUES (1)")
    cursor.execute("SELECT `select`, `from` FROM `group`")
    assert [tuple(row) for row in cursor.fetchall()] == [(text, 1)]
