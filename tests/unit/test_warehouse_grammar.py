from __future__ import annotations

import pytest

from providers.databricks.warehouse import commands as c
from providers.databricks.warehouse import questions as q
from providers.databricks.warehouse.errors import SqlError
from providers.databricks.warehouse.grammar import parse
from providers.databricks.warehouse.tags import read_tags


@pytest.mark.parametrize(
    ("statement", "command"),
    [
        (
            "/* ticket 7 */ ALTER TABLE `a b`.t ALTER COLUMN x TYPE decimal(10, 2) -- later",
            c.AlterTable(("a b", "t"), c.ChangeType("x", "DECIMAL(10,2)")),
        ),
        (
            "ALTER TABLE t ADD CONSTRAINT ck CHECK (a > (1 + 2) AND b <> ')');",
            c.AlterTable(("t",), c.AddCheck("ck", "a > (1 + 2) AND b <> ')'")),
        ),
        (
            "alter table t add columns (a int comment 'it\\'s' first, b string after a)",
            c.AlterTable(
                ("t",),
                c.AddColumns(
                    (
                        c.NewColumn("a", "INT", comment="it's", after=""),
                        c.NewColumn("b", "STRING", after="a"),
                    )
                ),
            ),
        ),
        (
            "ALTER TABLE t SET TBLPROPERTIES ('delta.a' = 'x', delta.b = true)",
            c.AlterTable(("t",), c.SetProperties((("delta.a", "x"), ("delta.b", "true")))),
        ),
        (
            "ALTER TABLE t ALTER COLUMN a SET DEFAULT current_timestamp()",
            c.AlterTable(("t",), c.SetDefault("a", "current_timestamp()")),
        ),
        ("COMMENT ON TABLE t IS 'a' 'b'", c.AlterTable(("t",), c.SetTableComment("ab"))),
        ("USE c.s", c.Use("c", "s")),
        ("DESC EXTENDED t", q.Describe(("t",), extended=True)),
    ],
)
def test_a_statement_is_read_word_by_word(statement: str, command: c.Command) -> None:
    """Comments, quotes and case do not matter."""
    assert parse(statement) == command


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE t RENAME a TO b",
        "ALTER TABLE t ADD COLUMN IF NOT EXISTS a INT",
        "ALTER TABLE t ADD None",
        "ALTER TABLE t ADD CONSTRAINT u UNIQUE (a)",
        "ALTER TABLE t ADD CHECK (a > 0)",
        "ALTER TABLE t ALTER COLUMN a INT",
        "ALTER TABLE t DROP COLUMN",
        "ALTER TABLE t `ADD` COLUMN a INT",
        "CREATE TABLE t (a INT UNIQUE)",
        "CREATE TABLE t (a INT, CHECK (a > 0))",
        "CREATE TABLE t (a INT REFERENCES u (id))",
        "CREATE TABLE t (a INT, FOREIGN KEY (a) REFERENCES u (id) ON DELETE CASCADE)",
        "CREATE UNIQUE INDEX i ON t (a)",
        "DROP INDEX i",
        "SHOW TABLES FROM",
        "DESCRIBE HISTORY t extra",
        "SELEC 1",
        "'unfinished",
        "",
    ],
)
def test_what_the_manual_does_not_have_is_no_statement(statement: str) -> None:
    """Forms of other databases, and those that a lenient parser takes, are refused."""
    with pytest.raises(SqlError, match=r"PARSE_SYNTAX_ERROR.*42601"):
        parse(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "GRANT SELECT ON t TO u",
        "OPTIMIZE t",
        "ALTER VIEW v AS SELECT 1",
        "ALTER TABLE t SET TAGS ('a')",
    ],
)
def test_what_is_not_modelled_says_so(statement: str) -> None:
    """Databricks would run it: the refusal does not claim otherwise."""
    with pytest.raises(SqlError, match="LOCAL_WAREHOUSE_UNSUPPORTED"):
        parse(statement)


@pytest.mark.parametrize("statement", ["SELECT 1", "WITH a AS (SELECT 1) SELECT * FROM a"])
def test_queries_are_read_by_sqlglot(statement: str) -> None:
    """The own grammar leaves them alone."""
    assert parse(statement) is None


def test_query_tags_are_read_as_the_client_writes_them() -> None:
    """Backslashes protect what separates; a tag without a value has an empty one."""
    assert read_tags(r"ticket:a\:b\,c\\d,alone") == (("ticket", "a:b,c\\d"), ("alone", ""))
