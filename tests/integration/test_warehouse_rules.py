"""The rules of Databricks, one by one, through its own client.

Each case is a schema's life: statements that work, then one that works or is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from databricks.sql.client import Cursor
from databricks.sql.exc import ServerOperationError

pytest_plugins = ["tests.support.warehouse"]

PEOPLE = """CREATE TABLE people (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    nick STRING NOT NULL COMMENT 'what friends say',
    age INT,
    born DATE,
    paid DECIMAL(10, 2),
    is_in BOOLEAN DEFAULT true NOT NULL,
    PRIMARY KEY (id)
) USING DELTA COMMENT 'everybody' TBLPROPERTIES('delta.feature.allowColumnDefaults' = 'enabled')"""
VISITS = """CREATE TABLE visits (
    id BIGINT NOT NULL, person BIGINT, minutes INT,
    CONSTRAINT visits_key PRIMARY KEY (id),
    CONSTRAINT visits_person FOREIGN KEY (person) REFERENCES people (id)
) USING DELTA"""
ADA = "INSERT INTO people (nick, age) VALUES ('Ada', 36)"
MAPPED = "ALTER TABLE people SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')"
WIDENING = "ALTER TABLE people SET TBLPROPERTIES ('delta.enableTypeWidening' = 'true')"
AREA = """CREATE TABLE areas (side INT, area INT GENERATED ALWAYS AS (CAST(side * side AS INT)))
TBLPROPERTIES ('delta.columnMapping.mode' = 'name')"""
ADULT = "ALTER TABLE people ADD CONSTRAINT adult CHECK (age >= 18)"


@dataclass(frozen=True)
class Case:
    """What is done, and how its last statement ends."""

    before: tuple[str, ...]
    statement: str
    refusal: str = ""  #: condition and SQLSTATE; empty: it works


ALLOWED = {
    "a table with everything": Case((), PEOPLE),
    "a table with keys": Case((PEOPLE,), VISITS),
    "a table that refers to itself": Case(
        (),
        "CREATE TABLE tree (id INT, up INT, PRIMARY KEY (id), "
        "CONSTRAINT up_fk FOREIGN KEY (up) REFERENCES tree (id))",
    ),
    "a version table": Case(
        (), "CREATE TABLE v (n STRING NOT NULL, CONSTRAINT pk PRIMARY KEY (n)) USING DELTA"
    ),
    "a table by three names": Case((), "CREATE TABLE main.{schema}.t (a INT)"),
    "a table once more, if not there": Case((PEOPLE,), "CREATE TABLE IF NOT EXISTS people (a INT)"),
    "a clustered table": Case((), "CREATE TABLE t (a INT, b STRING) CLUSTER BY (b)"),
    "a table from a query": Case((), "CREATE TABLE t AS SELECT 1 AS a, 'x' AS b"),
    "another table in its place": Case(
        ("CREATE TABLE t (a INT)",), "CREATE OR REPLACE TABLE t (b STRING)"
    ),
    "a column": Case((PEOPLE,), "ALTER TABLE people ADD COLUMN mail STRING"),
    "columns with comments": Case(
        (PEOPLE,), "ALTER TABLE people ADD COLUMNS (mail STRING COMMENT 'm', kids INT)"
    ),
    "a column at its place": Case(
        (PEOPLE,), "ALTER TABLE people ADD COLUMN mail STRING AFTER nick"
    ),
    "column mapping, with old protocol numbers": Case(
        (PEOPLE,),
        "ALTER TABLE people SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name', "
        "'delta.minReaderVersion' = '2', 'delta.minWriterVersion' = '5')",
    ),
    "a dropped column": Case((PEOPLE, MAPPED), "ALTER TABLE people DROP COLUMN age"),
    "a dropped column that is not there": Case(
        (PEOPLE, MAPPED), "ALTER TABLE people DROP COLUMN IF EXISTS nothing"
    ),
    "a renamed column": Case((PEOPLE, MAPPED), "ALTER TABLE people RENAME COLUMN age TO years"),
    "a wider type": Case((PEOPLE, WIDENING), "ALTER TABLE people ALTER COLUMN age TYPE BIGINT"),
    "a wider decimal": Case(
        (PEOPLE, WIDENING), "ALTER TABLE people ALTER COLUMN paid TYPE DECIMAL(12, 3)"
    ),
    "not null": Case((PEOPLE, ADA), "ALTER TABLE people ALTER COLUMN age SET NOT NULL"),
    "null again": Case((PEOPLE,), "ALTER TABLE people ALTER COLUMN nick DROP NOT NULL"),
    "a default": Case((PEOPLE,), "ALTER TABLE people ALTER COLUMN age SET DEFAULT 7"),
    "no default": Case((PEOPLE,), "ALTER TABLE people ALTER COLUMN is_in DROP DEFAULT"),
    "a column's comment": Case((PEOPLE,), "ALTER TABLE people ALTER COLUMN age COMMENT 'years'"),
    "a column's comment, the other way": Case((PEOPLE,), "COMMENT ON COLUMN people.age IS 'years'"),
    "a table's comment": Case((PEOPLE,), "COMMENT ON TABLE people IS 'all of them'"),
    "a check": Case((PEOPLE, ADA), ADULT),
    "no check": Case((PEOPLE, ADULT), "ALTER TABLE people DROP CONSTRAINT adult"),
    "a primary key": Case(
        ("CREATE TABLE t (a INT NOT NULL)",), "ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY (a)"
    ),
    "a foreign key": Case(
        (PEOPLE, "CREATE TABLE t (p BIGINT)"),
        "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (p) REFERENCES people (id)",
    ),
    "no constraint, if there": Case((PEOPLE,), "ALTER TABLE people DROP CONSTRAINT IF EXISTS x"),
    "a primary key with those that refer to it": Case(
        (PEOPLE, VISITS), "ALTER TABLE people DROP PRIMARY KEY CASCADE"
    ),
    "a view": Case((PEOPLE,), "CREATE VIEW v AS SELECT nick FROM people"),
    "another view in its place": Case(
        (PEOPLE, "CREATE VIEW v AS SELECT nick FROM people"),
        "CREATE OR REPLACE VIEW v (n COMMENT 'x') AS SELECT nick FROM people",
    ),
    "no view": Case((PEOPLE, "CREATE VIEW v AS SELECT nick FROM people"), "DROP VIEW v"),
    "another name": Case((PEOPLE,), "ALTER TABLE people RENAME TO folk"),
    "no table": Case((PEOPLE,), "DROP TABLE people"),
    "an earlier version": Case((PEOPLE, ADA), "RESTORE TABLE people TO VERSION AS OF 0"),
    "no rows": Case((PEOPLE, ADA), "TRUNCATE TABLE people"),
    "duplicate keys, which are informational": Case(
        ("CREATE TABLE t (a INT, PRIMARY KEY (a))", "INSERT INTO t VALUES (1)"),
        "INSERT INTO t VALUES (1)",
    ),
    "a key that refers to nothing, likewise": Case(
        (PEOPLE, VISITS), "INSERT INTO visits VALUES (1, 999, 5)"
    ),
}

#: Defaults that are refused, each behind its type.
NO_DEFAULTS = {
    "BOOLEAN DEFAULT 'false'": "INVALID_DEFAULT_VALUE.DATA_TYPE 42623",
    "BOOLEAN DEFAULT 1": "INVALID_DEFAULT_VALUE.DATA_TYPE 42623",
    "SMALLINT DEFAULT 70000": "INVALID_DEFAULT_VALUE.DATA_TYPE 42623",
    "DATE DEFAULT 'x'": "INVALID_DEFAULT_VALUE.DATA_TYPE 42623",
    "ARRAY<STRING> DEFAULT '{}'": "INVALID_DEFAULT_VALUE.DATA_TYPE 42623",
    "STRING DEFAULT '{}'::jsonb": "UNSUPPORTED_DATATYPE 0A000",
    "STRING DEFAULT gen_random_uuid()": "UNRESOLVED_ROUTINE 42883",
}

REFUSED = {
    **{
        f"a column {text}": Case(
            (),
            f"CREATE TABLE t (a {text})"
            " TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'supported')",
            refusal,
        )
        for text, refusal in NO_DEFAULTS.items()
    },
    "a default that its column cannot hold": Case(
        (PEOPLE,),
        "ALTER TABLE people ALTER COLUMN age SET DEFAULT 5000000000",
        "INVALID_DEFAULT_VALUE.DATA_TYPE 42623",
    ),
    "an operator of Postgres": Case(
        (PEOPLE,),
        "ALTER TABLE people ADD CONSTRAINT ck CHECK (nick SIMILAR TO 'a%')",
        "PARSE_SYNTAX_ERROR 42601",
    ),
    "an array of Postgres": Case(
        (PEOPLE,), "DELETE FROM people WHERE age = ANY (ARRAY[1])", "PARSE_SYNTAX_ERROR 42601"
    ),
    "rename without COLUMN": Case(
        (PEOPLE, MAPPED), "ALTER TABLE people RENAME age TO years", "PARSE_SYNTAX_ERROR 42601"
    ),
    "a new column that is not null": Case(
        (PEOPLE,),
        "ALTER TABLE people ADD COLUMN kids INT NOT NULL",
        "DELTA_OPERATION_NOT_ALLOWED 0AKDC",
    ),
    "a new column of a time without a zone": Case(
        ("CREATE TABLE days (day DATE) USING DELTA",),
        "ALTER TABLE days ADD COLUMN at TIMESTAMP_NTZ",
        "DELTA_FEATURES_REQUIRE_MANUAL_ENABLEMENT 42000",
    ),
    "a new column with a default": Case(
        (PEOPLE,),
        "ALTER TABLE people ADD COLUMN kids INT DEFAULT 5",
        "WRONG_COLUMN_DEFAULTS_FOR_DELTA_ALTER_TABLE_ADD_COLUMN_NOT_SUPPORTED 0AKDC",
    ),
    "a column that is there": Case(
        (PEOPLE,), "ALTER TABLE people ADD COLUMN AGE INT", "FIELD_ALREADY_EXISTS 42710"
    ),
    "a default without the feature": Case(
        ("CREATE TABLE t (a INT)",),
        "ALTER TABLE t ALTER COLUMN a SET DEFAULT 1",
        "WRONG_COLUMN_DEFAULTS_FOR_DELTA_FEATURE_NOT_ENABLED 0AKDE",
    ),
    "a table with a default without the feature": Case(
        (),
        "CREATE TABLE t (a INT DEFAULT 1)",
        "WRONG_COLUMN_DEFAULTS_FOR_DELTA_FEATURE_NOT_ENABLED 0AKDE",
    ),
    "drop without column mapping": Case(
        (PEOPLE,), "ALTER TABLE people DROP COLUMN age", "DELTA_UNSUPPORTED_DROP_COLUMN 0AKDC"
    ),
    "rename without column mapping": Case(
        (PEOPLE,),
        "ALTER TABLE people RENAME COLUMN age TO years",
        "DELTA_UNSUPPORTED_RENAME_COLUMN 0AKDC",
    ),
    "a dropped column that a check uses": Case(
        (PEOPLE, MAPPED, ADULT),
        "ALTER TABLE people DROP COLUMN age",
        "DELTA_CONSTRAINT_DEPENDENT_COLUMN_CHANGE 42K09",
    ),
    "a renamed column that a check uses": Case(
        (PEOPLE, MAPPED, ADULT),
        "ALTER TABLE people RENAME COLUMN age TO years",
        "DELTA_CONSTRAINT_DEPENDENT_COLUMN_CHANGE 42K09",
    ),
    "a dropped column that is not there": Case(
        (PEOPLE, MAPPED),
        "ALTER TABLE people DROP COLUMN nothing",
        "UNRESOLVED_COLUMN.WITH_SUGGESTION 42703",
    ),
    "a dropped clustering column": Case(
        (
            "CREATE TABLE t (a INT, b INT) CLUSTER BY (a)",
            "ALTER TABLE t SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')",
        ),
        "ALTER TABLE t DROP COLUMN a",
        "DELTA_UNSUPPORTED_DROP_CLUSTERING_COLUMN 0AKDC",
    ),
    "a wider type without widening": Case(
        (PEOPLE,),
        "ALTER TABLE people ALTER COLUMN age TYPE BIGINT",
        "DELTA_UNSUPPORTED_ALTER_TABLE_CHANGE_COL_OP 0AKDC",
    ),
    "a narrower type": Case(
        (PEOPLE, WIDENING),
        "ALTER TABLE people ALTER COLUMN id TYPE INT",
        "DELTA_UNSUPPORTED_ALTER_TABLE_CHANGE_COL_OP 0AKDC",
    ),
    "a column mapping mode out of reach": Case(
        (PEOPLE, MAPPED),
        "ALTER TABLE people SET TBLPROPERTIES ('delta.columnMapping.mode' = 'id')",
        "DELTA_UNSUPPORTED_COLUMN_MAPPING_MODE_CHANGE 0AKDC",
    ),
    "a blank in a column's name without mapping": Case(
        (),
        "CREATE TABLE t (`a b` INT)",
        "DELTA_INVALID_CHARACTERS_IN_COLUMN_NAMES 42K05",
    ),
    "not null where a row is null": Case(
        (PEOPLE, ADA),
        "ALTER TABLE people ALTER COLUMN born SET NOT NULL",
        "DELTA_NEW_NOT_NULL_VIOLATION 23512",
    ),
    "a check that a row breaks": Case(
        (PEOPLE, "INSERT INTO people (nick, age) VALUES ('Tim', 9)"),
        ADULT,
        "DELTA_NEW_CHECK_CONSTRAINT_VIOLATION 23512",
    ),
    "a check over a null, which is not true": Case(
        (PEOPLE, "INSERT INTO people (nick) VALUES ('Tim')"),
        ADULT,
        "DELTA_NEW_CHECK_CONSTRAINT_VIOLATION 23512",
    ),
    "a row that breaks a check": Case(
        (PEOPLE, ADULT),
        "INSERT INTO people (nick, age) VALUES ('Tim', 9)",
        "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES 23001",
    ),
    "an update that breaks a check": Case(
        (PEOPLE, ADA, ADULT),
        "UPDATE people SET age = 1",
        "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES 23001",
    ),
    "a null in a column that is not null": Case(
        (PEOPLE,),
        "INSERT INTO people (nick) VALUES (NULL)",
        "DELTA_NOT_NULL_CONSTRAINT_VIOLATED 23502",
    ),
    "a string that is too long": Case(
        ("CREATE TABLE t (a VARCHAR(3))",),
        "INSERT INTO t VALUES ('four')",
        "DELTA_EXCEED_CHAR_VARCHAR_LIMIT 22001",
    ),
    "a value for an identity": Case(
        (PEOPLE,),
        "INSERT INTO people (id, nick) VALUES (1, 'Ada')",
        "DELTA_IDENTITY_COLUMNS_EXPLICIT_INSERT_NOT_SUPPORTED 42808",
    ),
    "an identity that is no BIGINT": Case(
        (),
        "CREATE TABLE t (a INT GENERATED BY DEFAULT AS IDENTITY)",
        "DELTA_IDENTITY_COLUMNS_UNSUPPORTED_DATA_TYPE 428H2",
    ),
    "an expression of another type than its column": Case(
        (),
        "CREATE TABLE t (a INT, b BIGINT GENERATED ALWAYS AS (a + 1))",
        "DELTA_GENERATED_COLUMNS_EXPR_TYPE_MISMATCH 42K09",
    ),
    "a generated column that comes of another": Case(
        (),
        "CREATE TABLE t (a INT, b INT GENERATED ALWAYS AS (a), c INT GENERATED ALWAYS AS (b))",
        "DELTA_INVALID_GENERATED_COLUMN_REFERENCES 42621",
    ),
    "another value than the generated one": Case(
        (AREA,),
        "INSERT INTO areas (side, area) VALUES (2, 5)",
        "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES 23001",
    ),
    "a column that a generated one comes of": Case(
        (AREA,),
        "ALTER TABLE areas RENAME COLUMN side TO length",
        "DELTA_GENERATED_COLUMNS_DEPENDENT_COLUMN_CHANGE 42K09",
    ),
    "a constraint's name once more": Case(
        (PEOPLE, ADULT), ADULT, "DELTA_CONSTRAINT_ALREADY_EXISTS 42710"
    ),
    "no constraint of that name": Case(
        (PEOPLE,),
        "ALTER TABLE people DROP CONSTRAINT nothing",
        "DELTA_CONSTRAINT_DOES_NOT_EXIST 42704",
    ),
    "a primary key over a column that may be null": Case(
        ("CREATE TABLE t (a INT)",),
        "ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY (a)",
        "INVALID_PARAMETER_VALUE 22023",
    ),
    "a second primary key": Case(
        (PEOPLE,),
        "ALTER TABLE people ADD CONSTRAINT k PRIMARY KEY (nick)",
        "INVALID_PARAMETER_VALUE 22023",
    ),
    "a primary key that another table refers to": Case(
        (PEOPLE, VISITS),
        "ALTER TABLE people DROP PRIMARY KEY IF EXISTS",
        "INVALID_PARAMETER_VALUE 22023",
    ),
    "null in a primary key": Case(
        (PEOPLE,),
        "ALTER TABLE people ALTER COLUMN id DROP NOT NULL",
        "INVALID_PARAMETER_VALUE 22023",
    ),
    "a foreign key to a table without a key": Case(
        ("CREATE TABLE t (a INT)",),
        "CREATE TABLE u (a INT, FOREIGN KEY (a) REFERENCES t)",
        "INVALID_PARAMETER_VALUE 22023",
    ),
    "a foreign key that cascades": Case(
        (PEOPLE,),
        "CREATE TABLE t (p BIGINT, FOREIGN KEY (p) REFERENCES people (id) ON DELETE CASCADE)",
        "PARSE_SYNTAX_ERROR 42601",
    ),
    "a unique constraint": Case(
        (PEOPLE,),
        "ALTER TABLE people ADD CONSTRAINT u UNIQUE (nick)",
        "PARSE_SYNTAX_ERROR 42601",
    ),
    "an index": Case((PEOPLE,), "CREATE INDEX i ON people (nick)", "PARSE_SYNTAX_ERROR 42601"),
    "a transaction": Case((), "BEGIN TRANSACTION", "LOCAL_WAREHOUSE_UNSUPPORTED 0A000"),
    "a type of another database": Case((), "CREATE TABLE t (a UUID)", "UNSUPPORTED_DATATYPE 0A000"),
    "a table of another format": Case(
        (),
        "CREATE TABLE t (a INT) USING CSV",
        "UC_FILE_SCHEME_FOR_TABLE_CREATION_NOT_SUPPORTED 0AKUC",
    ),
    "a table that is there": Case((PEOPLE,), PEOPLE, "TABLE_OR_VIEW_ALREADY_EXISTS 42P07"),
    "a table that is not there": Case(
        (), "DESCRIBE TABLE EXTENDED nothing", "TABLE_OR_VIEW_NOT_FOUND 42P01"
    ),
    "a query of a table that is not there": Case(
        (), "SELECT * FROM nothing", "TABLE_OR_VIEW_NOT_FOUND 42P01"
    ),
    "a column that is not there": Case(
        (PEOPLE,), "SELECT nothing FROM people", "UNRESOLVED_COLUMN.WITH_SUGGESTION 42703"
    ),
    "a function that is not there": Case((), "SELECT nothing(1)", "UNRESOLVED_ROUTINE 42883"),
    "a schema that is not there": Case(
        (), "CREATE TABLE nowhere.t (a INT)", "SCHEMA_NOT_FOUND 42704"
    ),
    "a catalog that is not there": Case(
        (), "CREATE TABLE nowhere.s.t (a INT)", "NO_SUCH_CATALOG_EXCEPTION 42704"
    ),
    "a schema that is there": Case((), "CREATE SCHEMA {schema}", "SCHEMA_ALREADY_EXISTS 42P06"),
    "a schema with tables": Case((PEOPLE,), "DROP SCHEMA {schema}", "SCHEMA_NOT_EMPTY 2BP01"),
    "a view that is a table": Case(
        (PEOPLE,), "DROP VIEW people", "EXPECT_VIEW_NOT_TABLE.NO_ALTERNATIVE 42809"
    ),
    "a view to alter": Case(
        ("CREATE VIEW v AS SELECT 1 AS a",),
        "ALTER TABLE v ADD COLUMN b INT",
        "EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE 42809",
    ),
    "to have back what was never dropped": Case(
        (PEOPLE,), "UNDROP TABLE folk", "TABLE_OR_VIEW_NOT_FOUND 42P01"
    ),
    "to have a table back over another": Case(
        (PEOPLE, "DROP TABLE people", PEOPLE),
        "UNDROP TABLE people",
        "TABLE_OR_VIEW_ALREADY_EXISTS 42P07",
    ),
    "a version that is not there": Case(
        (PEOPLE,), "SELECT * FROM people VERSION AS OF 5", "DELTA_VERSION_NOT_FOUND 22003"
    ),
    "a word that is no number": Case((), "SELECT CAST('x' AS INT)", "CAST_INVALID_INPUT 22018"),
}


def _prepare(cursor: Cursor, case: Case, schema: str) -> str:
    for statement in case.before:
        cursor.execute(statement)
    return case.statement.replace("{schema}", schema)


@pytest.mark.parametrize("case", ALLOWED.values(), ids=ALLOWED.keys())
def test_what_databricks_takes_works(cursor: Cursor, schema: str, case: Case) -> None:
    """The manual has this form."""
    cursor.execute(_prepare(cursor, case, schema))


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_what_databricks_refuses_is_refused(cursor: Cursor, schema: str, case: Case) -> None:
    """Condition and SQLSTATE are those of the manual; nothing has changed."""
    statement = _prepare(cursor, case, schema)
    before = _tables(cursor)
    condition, sqlstate = case.refusal.split()
    with pytest.raises(ServerOperationError) as refusal:
        cursor.execute(statement)
    assert str(refusal.value).startswith(f"[{condition}]")
    assert str(refusal.value).endswith(f"SQLSTATE: {sqlstate}")
    assert _tables(cursor) == before


def _tables(cursor: Cursor) -> list[object]:
    """Return all tables with their versions."""
    found: list[object] = []
    for table in cursor.execute("SHOW TABLES").fetchall():
        if not cursor.execute("SHOW VIEWS LIKE '" + table.tableName + "'").fetchall():
            history = f"DESCRIBE HISTORY {table.tableName}"
            found.append((table, cursor.execute(history).fetchall()))
    return found


def test_rename_column_takes_the_keys_with_it(cursor: Cursor) -> None:
    """Keys over a renamed column end without a word, those of other tables included."""
    for statement in (PEOPLE, VISITS, MAPPED, "ALTER TABLE people RENAME COLUMN id TO number"):
        cursor.execute(statement)
    for table in ("people", "visits"):
        rows = cursor.execute(f"DESCRIBE TABLE EXTENDED {table}").fetchall()
        keys = [row.data_type for row in rows if " KEY (" in (row.data_type or "")]
        assert keys == (["PRIMARY KEY (`id`)"] if table == "visits" else [])


@pytest.mark.parametrize("source", ["read_text('/etc/hostname')", "read_blob('/etc/hostname')"])
def test_files_of_the_machine_are_out_of_reach(cursor: Cursor, source: str) -> None:
    """A statement sees the warehouse's tables, not what DuckDB could open."""
    with pytest.raises(ServerOperationError, match="LOCAL_WAREHOUSE_UNSUPPORTED"):
        cursor.execute(f"SELECT * FROM {source}")


def test_keys_outlive_other_changes(cursor: Cursor) -> None:
    """Both ends of a foreign key can be altered and renamed; it names its parent as it is now."""
    for statement in (
        PEOPLE,
        VISITS,
        "ALTER TABLE visits ADD COLUMN note STRING",
        "INSERT INTO visits (id) VALUES (1)",
        "ALTER TABLE people RENAME TO folk",
        "ALTER TABLE visits ALTER COLUMN note COMMENT 'x'",
    ):
        cursor.execute(statement)
    rows = cursor.execute("DESCRIBE TABLE EXTENDED visits").fetchall()
    (key,) = [row.data_type for row in rows if "FOREIGN KEY" in (row.data_type or "")]
    assert key.startswith("FOREIGN KEY (`person`) REFERENCES `main`.")
    assert key.endswith(".`folk` (`id`)")


def test_a_key_made_again_does_not_bring_back_those_that_referred_to_it(cursor: Cursor) -> None:
    """CASCADE drops foreign keys for good."""
    for statement in (
        PEOPLE,
        VISITS,
        "ALTER TABLE people DROP PRIMARY KEY CASCADE",
        "ALTER TABLE people ADD CONSTRAINT again PRIMARY KEY (id)",
    ):
        cursor.execute(statement)
    rows = cursor.execute("DESCRIBE TABLE EXTENDED visits").fetchall()
    assert not [row for row in rows if "FOREIGN KEY" in (row.data_type or "")]


def test_rows_follow_every_change_of_a_table(cursor: Cursor) -> None:
    """Added columns are null, defaults count from now on, renamed and widened ones keep values."""
    for statement in (
        PEOPLE,
        ADA,
        "ALTER TABLE people ADD COLUMN kids INT AFTER nick",
        "ALTER TABLE people ALTER COLUMN kids SET DEFAULT 2",
        MAPPED,
        WIDENING,
        "ALTER TABLE people RENAME COLUMN age TO years",
        "ALTER TABLE people ALTER COLUMN years TYPE BIGINT",
        "ALTER TABLE people DROP COLUMNS (born, paid)",
        "INSERT INTO people (nick, years) VALUES ('Alan', 5000000000)",
    ):
        cursor.execute(statement)
    rows = cursor.execute("SELECT * FROM people ORDER BY id").fetchall()
    assert [column[0] for column in cursor.description or ()] == [
        *("id", "nick", "kids", "years", "is_in"),
    ]
    assert [tuple(row) for row in rows] == [
        (1, "Ada", None, 36, True),
        (2, "Alan", 2, 5_000_000_000, True),
    ]


def test_generated_columns_follow_the_columns_that_they_come_of(cursor: Cursor) -> None:
    """They are computed where a statement does not give them, and compared where it does."""
    cursor.execute(AREA)
    cursor.execute("INSERT INTO areas (side) VALUES (2), (NULL)")
    cursor.execute("INSERT INTO areas VALUES (3, 9)")
    cursor.execute("UPDATE areas SET side = 4 WHERE side = 2")
    cursor.execute("SELECT side, area FROM areas ORDER BY side NULLS FIRST")
    assert [tuple(row) for row in cursor.fetchall()] == [(None, None), (3, 9), (4, 16)]
    cursor.execute("DESCRIBE DETAIL areas")
    assert cursor.fetchall()[0].minWriterVersion == 5  # of column mapping; 4 would do


def test_each_change_is_a_version_that_can_be_read_and_restored(cursor: Cursor) -> None:
    """DESCRIBE HISTORY lists them, the newest first."""
    for statement in (PEOPLE, ADA, "DELETE FROM people", MAPPED):
        cursor.execute(statement)
    history = cursor.execute("DESCRIBE HISTORY people").fetchall()
    assert [(row.version, row.operation) for row in history] == [
        (3, "SET TBLPROPERTIES"),
        (2, "DELETE"),
        (1, "WRITE"),
        (0, "CREATE TABLE"),
    ]
    assert cursor.execute("SELECT nick FROM people VERSION AS OF 1").fetchall() == [("Ada",)]
    cursor.execute("RESTORE TABLE people TO VERSION AS OF 1")
    assert cursor.execute("SELECT nick FROM people").fetchall() == [("Ada",)]
    properties = cursor.execute("SHOW TBLPROPERTIES people").fetchall()
    assert "delta.columnMapping.mode" not in [row.key for row in properties]


def test_keys_are_of_the_catalog_and_stay_when_a_version_is_restored(cursor: Cursor) -> None:
    """Neither does a key come back with a version, nor does one go that is there now."""
    for statement in (PEOPLE, "ALTER TABLE people DROP PRIMARY KEY"):
        cursor.execute(statement)
    cursor.execute("RESTORE TABLE people TO VERSION AS OF 0")
    assert _keys(cursor, "people") == []
    cursor.execute("ALTER TABLE people ADD CONSTRAINT pk PRIMARY KEY (id)")
    cursor.execute("RESTORE TABLE people TO VERSION AS OF 0")
    assert _keys(cursor, "people") == ["PRIMARY KEY (`id`)"]


def test_a_dropped_table_can_be_had_back(cursor: Cursor) -> None:
    """With its rows, versions and properties, but without its keys; the last of its name first."""
    for statement in (PEOPLE, ADA, "DROP TABLE people", "CREATE TABLE people (a INT)"):
        cursor.execute(statement)
    cursor.execute("ALTER TABLE people RENAME TO others")
    cursor.execute("UNDROP TABLE people")
    assert cursor.execute("SELECT nick FROM people").fetchall() == [("Ada",)]
    assert _keys(cursor, "people") == []
    assert len(cursor.execute("DESCRIBE HISTORY people").fetchall()) == 2
    for statement in ("DROP TABLE people", "CREATE TABLE people (b INT)", "DROP TABLE people"):
        cursor.execute(statement)
    cursor.execute("UNDROP TABLE people")
    assert cursor.execute("SHOW COLUMNS IN people").fetchall() == [("b",)]


def _keys(cursor: Cursor, table: str) -> list[str]:
    rows = cursor.execute(f"DESCRIBE TABLE EXTENDED {table}").fetchall()
    return [row.data_type for row in rows if " KEY (" in (row.data_type or "")]


def test_properties_ask_for_the_protocol_that_they_need(cursor: Cursor) -> None:
    """Reader, writer and features rise with what is turned on."""
    cursor.execute("CREATE TABLE t (a INT)")
    asked = []
    for change in (
        "SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')",
        "ADD CONSTRAINT c CHECK (a > 0)",
        "SET TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'supported')",
        "SET TBLPROPERTIES ('delta.enableTypeWidening' = 'true')",
        "ADD COLUMN v VARIANT",
    ):
        cursor.execute(f"ALTER TABLE t {change}")
        row = cursor.execute("DESCRIBE DETAIL t").fetchall()[0]
        asked.append((row.minReaderVersion, row.minWriterVersion, row.tableFeatures))
    assert asked == [
        (2, 5, ""),
        (2, 5, ""),
        (2, 7, "allowColumnDefaults,checkConstraints,columnMapping"),
        (3, 7, "allowColumnDefaults,checkConstraints,columnMapping,typeWidening"),
        (3, 7, "allowColumnDefaults,checkConstraints,columnMapping,typeWidening,variantType"),
    ]


def test_the_information_schema_knows_what_was_made(cursor: Cursor, schema: str) -> None:
    """Columns, constraints and keys can be queried, of one catalog or of all."""
    for statement in (PEOPLE, VISITS, ADULT):
        cursor.execute(statement)
    where = f"WHERE table_schema = '{schema}'"
    columns = cursor.execute(
        "SELECT column_name, full_data_type, is_nullable, column_default FROM "
        f"information_schema.columns {where} AND table_name = 'people' ORDER BY ordinal_position"
    ).fetchall()
    assert [tuple(row) for row in columns[:2]] == [
        ("id", "bigint", "NO", None),
        ("nick", "string", "NO", None),
    ]
    assert tuple(columns[-1]) == ("is_in", "boolean", "NO", "true")
    constraints = cursor.execute(
        "SELECT constraint_name, constraint_type, enforced FROM "
        f"system.information_schema.table_constraints {where} ORDER BY 1"
    ).fetchall()
    assert [tuple(row) for row in constraints] == [
        ("adult", "CHECK", "YES"),
        ("people_pk", "PRIMARY KEY", "NO"),
        ("visits_key", "PRIMARY KEY", "NO"),
        ("visits_person", "FOREIGN KEY", "NO"),
    ]


def test_a_view_means_what_it_meant(cursor: Cursor, schema: str) -> None:
    """It keeps its own schema, follows its tables, and can be read through another view."""
    for statement in (
        PEOPLE,
        ADA,
        "CREATE VIEW short (who) AS SELECT nick FROM people",
        "CREATE VIEW shorter AS SELECT upper(s.who) AS w FROM short s",
        "INSERT INTO people (nick) VALUES ('Alan')",
        "USE main.default",
    ):
        cursor.execute(statement)
    rows = cursor.execute(f"SELECT v.w FROM {schema}.shorter v ORDER BY main.{schema}.v.w")
    assert rows.fetchall() == [("ADA",), ("ALAN",)]
