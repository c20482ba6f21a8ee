from __future__ import annotations

import pytest

from sync.restore import restore_plan

USERS, VERSIONS = "`main`.`eu`.`users`", "`main`.`eu`.`alembic_version`"
BEFORE = {USERS: 7, VERSIONS: 3, "`main`.`eu`.`other`": 1, "`main`.`eu`.`totals`": None}


def plan(*sent: str) -> tuple[list[str], list[str]]:
    """Return statements and remarks for a run that has sent this."""
    found = restore_plan("r1", BEFORE, sent, "alembic_version")
    return [*found.statements], [*found.remarks]


def test_touched_tables() -> None:
    """What a run has named is restored, and the version table with it; nothing else is."""
    statements, remarks = plan("/* levelhead:t1 */ ALTER TABLE users ADD COLUMN a INT")
    assert statements == [
        f"RESTORE TABLE {USERS} TO VERSION AS OF 7",
        f"RESTORE TABLE {VERSIONS} TO VERSION AS OF 3",
    ]
    assert remarks == []


def test_dropped_and_renamed() -> None:
    """Names come back first, in the opposite order."""
    statements, _ = plan(
        "ALTER TABLE `eu`.`users` RENAME TO `eu`.`people`", "DROP TABLE IF EXISTS eu.other"
    )
    assert statements[:2] == [
        "UNDROP TABLE eu.other",
        "ALTER TABLE `eu`.`people` RENAME TO `eu`.`users`",
    ]


def test_created() -> None:
    """A table that was not there before has nothing to go back to."""
    statements, remarks = plan("CREATE TABLE IF NOT EXISTS teams (id INT)")
    assert statements == [f"RESTORE TABLE {VERSIONS} TO VERSION AS OF 3"]
    assert remarks == ["teams: was created by the run; DROP TABLE teams takes it away"]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("CREATE OR REPLACE VIEW v AS SELECT 1", "a view has no versions"),
        ("DROP SCHEMA eu2", "it is no table"),
        ("ALTER TABLE users ADD CONSTRAINT pk PRIMARY KEY (id)", "keys belong to the catalog"),
        ("ALTER TABLE users SET TBLPROPERTIES ('a' = '1')", "a protocol that rose"),
        ("GRANT SELECT ON TABLE users TO ada", "privileges belong to the catalog"),
        ("UPDATE totals SET a = 1", "had no version that could be read"),
    ],
)
def test_beyond(sql: str, words: str) -> None:
    """What no version holds is said."""
    _, remarks = plan(sql)
    assert any(words in remark for remark in remarks)
