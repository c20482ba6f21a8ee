from __future__ import annotations

import datetime as dt
import threading
import time
from decimal import Decimal

import pytest
import sqlalchemy as sa
from databricks.sql.client import Cursor
from databricks.sql.exc import DatabaseError, RequestError, ServerOperationError

from providers.databricks.warehouse import Warehouse
from tests.support.warehouse_client import connected, history, is_running, session

pytest_plugins = ["tests.support.warehouse"]

UTC = dt.UTC


def test_values_keep_their_type(cursor: Cursor) -> None:
    """What goes in as a literal comes out as the client's own type."""
    cursor.execute(
        "SELECT 1 AS a, CAST(2 AS BIGINT) AS b, 1.50 AS c, 'x' AS d, true AS e, "
        "DATE'2020-02-02' AS f, TIMESTAMP'2020-02-02 03:04:05' AS g, "
        "CAST('2020-02-02 03:04:05' AS TIMESTAMP_NTZ) AS h, unhex('ab01') AS i, NULL AS j, "
        "CAST(1 AS DOUBLE) AS k"
    )
    row = cursor.fetchall()[0]
    moment = dt.datetime(2020, 2, 2, 3, 4, 5, tzinfo=UTC)
    assert tuple(row) == (
        *(1, 2, Decimal("1.50"), "x", True, dt.date(2020, 2, 2), moment),
        *(moment.replace(tzinfo=None), b"\xab\x01", None, 1.0),
    )
    assert [column[1] for column in cursor.description or ()][:4] == [
        *("int", "bigint", "decimal", "string"),
    ]


def test_parameters_are_bound(cursor: Cursor) -> None:
    """By name or by place, with their types; one that is missing is an error."""
    cursor.execute("CREATE TABLE t (a INT, b STRING, c DECIMAL(5,2), d TIMESTAMP)")
    moment = dt.datetime(2020, 2, 2, tzinfo=UTC)
    cursor.execute("INSERT INTO t VALUES (?, ?, ?, ?)", [1, "it's", Decimal("1.25"), moment])
    cursor.execute("INSERT INTO t VALUES (:a, :`b`, NULL, NULL)", {"a": None, "b": "x"})
    rows = cursor.execute("SELECT * FROM t ORDER BY b").fetchall()
    assert [tuple(row) for row in rows] == [
        (1, "it's", Decimal("1.25"), moment),
        (None, "x", None, None),
    ]
    with pytest.raises(ServerOperationError, match="UNBOUND_SQL_PARAMETER"):
        cursor.execute("SELECT :missing")


def test_collections_are_bound(cursor: Cursor) -> None:
    """A list is an array and a mapping a map, one within the other."""
    cursor.execute("CREATE TABLE t (a ARRAY<ARRAY<INT>>, b MAP<STRING, INT>)")
    cursor.execute("INSERT INTO t VALUES (:a, :b)", {"a": [[1, 2], [3]], "b": {"x": 1, "y": None}})
    (row,) = cursor.execute("SELECT a[0][1], a[1][0], b['x'], b['y'] FROM t").fetchall()
    assert tuple(row) == (2, 3, 1, None)


def test_changes_say_how_many_rows_they_touched(cursor: Cursor) -> None:
    """The client's rowcount is that of the statement."""
    cursor.execute("CREATE TABLE t (a INT, b INT)")
    counts = []
    for statement in (
        "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)",
        "INSERT INTO t SELECT a + 3, b FROM t",
        "UPDATE t SET t.b = 0 WHERE t.a > 4",
        "DELETE FROM t AS x WHERE x.a = 1",
        "DELETE FROM t WHERE a = 99",
        """MERGE INTO t USING (SELECT 2 AS k UNION ALL SELECT 9 AS k) s ON t.a = s.k
        WHEN MATCHED THEN UPDATE SET t.b = 7
        WHEN NOT MATCHED THEN INSERT (a, b) VALUES (s.k, 7)""",
        "INSERT OVERWRITE t VALUES (1, 1)",
    ):
        cursor.execute(statement)
        counts.append(cursor.rowcount)
    assert counts == [3, 3, 2, 1, 0, 2, 1]
    assert cursor.execute("SELECT count(*) FROM t").fetchall() == [(1,)]


def test_large_results_come_in_pages(warehouse: Warehouse) -> None:
    """All rows arrive, in order, whatever the size of a page."""
    with connected(warehouse) as connection, connection.cursor(arraysize=1000) as cursor:
        cursor.execute("SELECT range AS n FROM range(250000) ORDER BY 1")
        first = [row.n for row in cursor.fetchmany(1500)]
        rest = cursor.fetchall_arrow().column("n").to_pylist()
    assert first + rest == list(range(250_000))


def test_the_client_lists_what_there_is(cursor: Cursor, schema: str) -> None:
    """Catalogs, schemas, tables and columns, by pattern."""
    cursor.execute("CREATE TABLE one (a DECIMAL(10, 2) NOT NULL COMMENT 'x')")
    cursor.execute("CREATE VIEW two AS SELECT a FROM one")
    assert [row.TABLE_CAT for row in cursor.catalogs().fetchall()] == ["main", "system"]
    assert cursor.schemas("main", schema.replace("_", r"\_")).fetchall() == [(schema, "main")]
    tables = cursor.tables("main", schema, "%").fetchall()
    assert [(row.TABLE_NAME, row.TABLE_TYPE) for row in tables] == [
        ("one", "TABLE"),
        ("two", "VIEW"),
    ]
    assert len(cursor.tables("main", schema, "o_e", ["TABLE"]).fetchall()) == 1
    (column,) = cursor.columns("main", schema, "one", "a").fetchall()
    assert (column.TYPE_NAME, column.NULLABLE, column.REMARKS) == ("DECIMAL(10,2)", 0, "x")


def test_sqlalchemy_makes_and_reflects_tables(warehouse: Warehouse, schema: str) -> None:
    """Databricks' dialect works as it is: create, insert, select, inspect."""
    metadata = sa.MetaData()
    people = sa.Table(
        "people",
        metadata,
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("name", sa.String(20), nullable=False, comment="it's a name"),
        sa.Column("paid", sa.Numeric(10, 2)),
        sa.Column("seen", sa.DateTime, server_default=sa.text("TIMESTAMP_NTZ'2020-01-01'")),
    )
    sa.Table(
        "visits",
        metadata,
        sa.Column("person", sa.BigInteger, sa.ForeignKey("people.id", name="who")),
    )
    engine = sa.create_engine(warehouse.url(schema=schema), connect_args=warehouse.connect_args())
    try:
        with engine.connect() as connection:
            metadata.create_all(connection)
            metadata.create_all(connection)  # looks first
            connection.execute(
                people.insert(), [{"name": "Ada", "paid": 1}, {"name": "Al's", "paid": None}]
            )
            rows = connection.execute(sa.select(people).order_by(people.c.id)).all()
            inspector = sa.inspect(connection)
            assert inspector.get_table_names() == ["people", "visits"]
            assert inspector.get_pk_constraint("people")["constrained_columns"] == ["id"]
            (key,) = inspector.get_foreign_keys("visits")
            columns = {each["name"]: each for each in inspector.get_columns("people")}
            assert not inspector.has_table("nothing")
    finally:
        engine.dispose()
    seen = dt.datetime(2020, 1, 1)  # noqa: DTZ001 - the column has no zone
    assert [tuple(row) for row in rows] == [
        (1, "Ada", Decimal("1.00"), seen),
        (2, "Al's", None, seen),
    ]
    assert (key["name"], key["referred_table"]) == ("who", "people")
    assert columns["name"]["comment"] == "it's a name"
    assert str(columns["paid"]["type"]) == "NUMERIC(10, 2)"


def test_a_wrong_token_is_refused(warehouse: Warehouse) -> None:
    """The client says so, and does not try again."""
    refused = pytest.raises(RequestError, match="Invalid access token")
    with refused as error, connected(warehouse, access_token="no"):  # noqa: S106 - a wrong one
        pass
    assert error.value.context["http-code"] == 403


def test_a_warehouse_that_is_not_there_is_refused(warehouse: Warehouse) -> None:
    """The path names the warehouse."""
    other = warehouse.origin + "/sql/1.0/warehouses/other"
    refused = pytest.raises(RequestError, match="There is no warehouse")
    with refused, connected(warehouse, _connection_uri=other):
        pass


def test_an_unknown_catalog_is_refused_at_once_and_a_schema_when_used(
    warehouse: Warehouse,
) -> None:
    """So does Databricks."""
    with pytest.raises(DatabaseError, match="NO_SUCH_CATALOG"), connected(warehouse, catalog="x"):
        pass
    with session(warehouse, "nowhere") as cursor:
        assert cursor.execute("SELECT 1").fetchall() == [(1,)]
        with pytest.raises(ServerOperationError, match="SCHEMA_NOT_FOUND"):
            cursor.execute("CREATE TABLE t (a INT)")


def test_a_statement_can_be_cancelled(warehouse: Warehouse) -> None:
    """What DuckDB runs ends at once, and the log says how."""
    endless = "SELECT count(*) FROM range(10000000) a, range(10000000) b"
    with session(warehouse) as cursor:
        cursor.execute_async(endless)
        assert is_running(cursor)
        cursor.cancel()
        with pytest.raises(ServerOperationError, match="OPERATION_CANCELED"):
            _wait_for_end(cursor)
        assert cursor.execute("SELECT 1").fetchall() == [(1,)]
    (entry,) = [each for each in history(warehouse) if each["query_text"] == endless]
    assert entry["status"] == "CANCELED"


def _wait_for_end(cursor: Cursor) -> None:
    while is_running(cursor):
        time.sleep(0.02)


def test_a_waiting_client_can_cancel_from_another_thread(warehouse: Warehouse) -> None:
    """The statement that `execute` waits for ends with an error."""
    with session(warehouse) as cursor:
        # Before the first answer, which takes a second, the client does not know what to cancel.
        cancelling = threading.Timer(1.3, cursor.cancel)
        cancelling.start()
        with pytest.raises(ServerOperationError, match="OPERATION_CANCELED"):
            cursor.execute("SELECT count(*) FROM range(10000000) a, range(10000000) b")
        cancelling.join()


def test_the_history_shows_text_status_and_tags(warehouse: Warehouse) -> None:
    """By the id that the client knows, with comments and query tags, the newest first."""
    with session(warehouse, query_tags={"app": "x"}) as cursor:
        cursor.execute("/* ticket 7 */ SELECT 7", query_tags={"ticket": "a:7"})
        query_id = cursor.query_id or ""
        with pytest.raises(ServerOperationError):
            cursor.execute("SELECT nothing")
    newest, before, *_ = history(warehouse, filter_by__warehouse_ids=warehouse.warehouse_id)
    assert (newest["query_text"], newest["status"]) == ("SELECT nothing", "FAILED")
    assert "UNRESOLVED_COLUMN" in newest["error_message"]
    assert before["query_id"] == query_id
    assert before["query_text"] == "/* ticket 7 */ SELECT 7"
    assert before["status"] == "FINISHED"
    assert before["query_tags"] == [
        {"key": "app", "value": "x"},
        {"key": "ticket", "value": "a:7"},
    ]
    started = before["query_start_time_ms"]
    assert before["query_end_time_ms"] >= started
    only = history(
        warehouse,
        filter_by__statement_ids=query_id,
        filter_by__statuses="FINISHED",
        filter_by__query_start_time_range__start_time_ms=started,
        filter_by__query_start_time_range__end_time_ms=started,
    )
    assert only == [before]
    assert history(warehouse, filter_by__warehouse_ids="other") == []
    assert len(history(warehouse, max_results=1)) == 1
