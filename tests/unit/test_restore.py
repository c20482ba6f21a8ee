"""What brings tables back, read off the texts of a run."""

from __future__ import annotations

import pytest

from sync.restore import Part, restore_plan

USERS, VERSIONS, OTHER = (f"`main`.`eu`.`{name}`" for name in ("users", "alembic_version", "other"))
BEFORE = {USERS: 7, VERSIONS: 3, OTHER: 1, "`main`.`eu`.`totals`": None}
STAMP = f"RESTORE TABLE {VERSIONS} TO VERSION AS OF 3"
BACK = f"RESTORE TABLE {USERS} TO VERSION AS OF 7"
ASIDE = "`main`.`eu`.`users_of_run_r1`"


def plan(*sent: str) -> tuple[list[str], list[str]]:
    """Return statements and remarks for a run that has sent this."""
    found = restore_plan([Part("r1", BEFORE, sent)], "alembic_version", frozenset({"a1"}))
    return [*found.statements], [*found.remarks]


def test_touched_tables() -> None:
    """What a run has named is restored, and the version table with it; nothing else is."""
    statements, remarks = plan("/* levelhead:t1 */ ALTER TABLE users ADD COLUMN a INT")
    assert statements == [BACK, STAMP]
    assert remarks == []


def test_dropped_and_renamed() -> None:
    """Names come back first, in full, in the opposite order; the keys of what was dropped not."""
    statements, remarks = plan(
        "ALTER TABLE `eu`.`users` RENAME TO `eu`.`people`", "DROP TABLE IF EXISTS eu.other"
    )
    assert statements == [
        f"UNDROP TABLE {OTHER}",
        f"ALTER TABLE `main`.`eu`.`people` RENAME TO {USERS}",
        BACK,
        STAMP,
        f"RESTORE TABLE {OTHER} TO VERSION AS OF 1",
    ]
    assert [remark.partition(" ")[0] for remark in remarks] == [f"{OTHER}:"]
    assert "brings no primary and foreign keys back" in remarks[0]


def test_dropped_if_it_was_there() -> None:
    """What was not there was not dropped."""
    assert plan("DROP TABLE IF EXISTS ghosts") == ([STAMP], [])


def test_created() -> None:
    """A table that was not there before has nothing to go back to."""
    statements, remarks = plan("CREATE TABLE IF NOT EXISTS teams (id INT)")
    name = "`main`.`eu`.`teams`"
    assert statements == [STAMP]
    assert remarks == [f"{name}: was created by the run; DROP TABLE {name} takes it away"]


def test_created_and_dropped() -> None:
    """What the run made and took away itself is neither had back nor taken away again."""
    made = ("CREATE TABLE t (id INT)", "ALTER TABLE t RENAME TO t2", "DROP TABLE t2")
    assert plan(*made) == ([STAMP], [])


def test_created_over() -> None:
    """To replace a table is a version of it; it was there before."""
    assert plan("CREATE OR REPLACE TABLE users AS SELECT 1 AS a") == ([BACK, STAMP], [])


def test_made_anew() -> None:
    """Where another table has the name now that one is renamed first, and nothing is lost."""
    statements, remarks = plan("DROP TABLE users", "CREATE TABLE users (id STRING)")
    assert statements == [
        f"ALTER TABLE {USERS} RENAME TO {ASIDE}",
        f"UNDROP TABLE {USERS}",
        BACK,
        STAMP,
    ]
    assert f"{ASIDE}: was created by the run; DROP TABLE {ASIDE} takes it away" in remarks


def test_made_beside_and_renamed() -> None:
    """As Alembic's batch mode does it: the new one gets out of the way, the old one comes back."""
    statements, remarks = plan(
        "CREATE TABLE tmp (id STRING)",
        "INSERT INTO tmp SELECT id FROM users",
        "DROP TABLE users",
        "ALTER TABLE tmp RENAME TO users",
    )
    assert statements[:2] == [
        f"ALTER TABLE {USERS} RENAME TO `main`.`eu`.`tmp`",
        f"UNDROP TABLE {USERS}",
    ]
    assert any("DROP TABLE `main`.`eu`.`tmp` takes it away" in remark for remark in remarks)


def test_hidden_by_another() -> None:
    """Where UNDROP would find another table of that name a person looks for the id."""
    statements, remarks = plan("DROP TABLE users", "CREATE TABLE users (a INT)", "DROP TABLE users")
    assert statements == [STAMP]
    assert "SHOW TABLES DROPPED IN `main`.`eu` tells its id" in remarks[0]
    assert f"then {BACK}" in remarks[0]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE us.users SET a = 1",
        "ALTER TABLE main.us.users ADD COLUMN a INT",
        "INSERT INTO `us`.`users` VALUES (1)",
        "DELETE FROM us.users",
        "DROP TABLE us.users",
    ],
)
def test_other_schemas(sql: str) -> None:
    """A table of another schema has no version on record: it is said, and how to find out."""
    _, remarks = plan(sql)
    told = [remark for remark in remarks if remark.startswith("`main`.`us`.`users`: is in another")]
    assert len(told) == 1
    assert "DESCRIBE HISTORY `main`.`us`.`users` tells" in told[0]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("CREATE OR REPLACE VIEW v AS SELECT 1", "a view has no versions"),
        ("DROP VIEW v", "a view has no versions"),
        ("DROP SCHEMA eu2", "it is no table"),
        ("ALTER TABLE users ADD CONSTRAINT pk PRIMARY KEY (id)", "keys belong to the catalog"),
        ("ALTER TABLE users DROP CONSTRAINT a", "a CHECK comes back"),
        ("ALTER TABLE users DROP COLUMN a", "keys over the column went with it"),
        ("ALTER TABLE users RENAME COLUMN a TO b", "keys over the column went with it"),
        ("ALTER TABLE users SET TBLPROPERTIES ('a' = '1')", "a protocol that rose"),
        ("GRANT SELECT ON TABLE users TO ada", "privileges belong to the catalog"),
        ("VACUUM users", "may have removed files"),
        ("USE SCHEMA us", "may mean tables of another one"),
        ("UPDATE totals SET a = 1", "had no version that could be read"),
    ],
)
def test_beyond(sql: str, words: str) -> None:
    """What no version holds is said."""
    _, remarks = plan(sql)
    assert any(words in remark for remark in remarks)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO other SELECT * FROM users",
        "MERGE INTO other USING users ON a = b WHEN MATCHED THEN DELETE",
        "UPDATE other SET users = 'users'",
        "ALTER TABLE other ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES users",
        "UPDATE us.users SET a = 1",
        "CREATE TABLE IF NOT EXISTS users (id INT)",
        "CREATE OR REPLACE VIEW v AS SELECT * FROM users",
        "GRANT SELECT ON TABLE users TO ada",
    ],
)
def test_what_was_only_read(sql: str) -> None:
    """A table that a statement but names is left alone: others have written to it since."""
    statements, _ = plan(sql)
    assert BACK not in statements


@pytest.mark.parametrize(
    "sql",
    [
        "COPY INTO users FROM 's3://x'",
        "WITH a AS (SELECT 1) INSERT INTO users SELECT * FROM a",
        "INSERT OVERWRITE TABLE MAIN.EU.Users VALUES (1)",
        "REPLACE TABLE users (a INT)",
    ],
)
def test_what_may_have_been_written(sql: str) -> None:
    """A statement of an unknown kind may have changed whatever it names."""
    assert plan(sql)[0] == [BACK, STAMP]


@pytest.mark.parametrize("ahead", ["-- away with it\n", "/* old */\n  ", "-- a\n/* b */ -- c\n"])
def test_comments_ahead(ahead: str) -> None:
    """What stands ahead of a statement does not hide it."""
    assert plan(f"{ahead}DROP TABLE users")[0] == [f"UNDROP TABLE {USERS}", BACK, STAMP]


def test_half_by_an_earlier_run() -> None:
    """The images of the run that began are the first; of what it named later ones tell nothing."""
    began = Part("r1", {USERS: 7}, ["UPDATE users SET a = 1", "CREATE TABLE teams (n INT)"])
    teams = "`main`.`eu`.`teams`"
    went_on = Part("r2", {USERS: 9, teams: 0, OTHER: 4}, ["UPDATE other SET a = 1"])
    found = restore_plan([began, went_on], "alembic_version", frozenset())
    assert (found.run, found.since, found.stamp) == ("r2", "r1", ("base",))
    assert found.statements == (BACK, f"RESTORE TABLE {OTHER} TO VERSION AS OF 4")
    assert found.remarks == (f"{teams}: was created by the run; DROP TABLE {teams} takes it away",)
