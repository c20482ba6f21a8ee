"""What a statement looks at, and what it does to the transaction, read off its text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from providers.types import Target
from sync.plan.reads import Looks, Reading, controls_transaction, is_nesting, reading

TARGET = Target(name="eu", history="app", dialect="postgresql", url="postgresql://u@h/d")
TENANT = replace(TARGET, schema="one")

NOTHING = [
    "SELECT 1",
    "SELECT 'now()', coalesce(NULL, 2) + 3",
    "SELECT 1 UNION SELECT 2",
    "WITH a AS (SELECT 1 AS x), b AS (SELECT x FROM a) SELECT x FROM b",
    "WITH RECURSIVE n AS (SELECT 1 UNION ALL SELECT 2 FROM n) SELECT * FROM n",
    "SELECT version_num FROM alembic_version",
    "SHOW transaction isolation level",
    "SHOW standard_conforming_strings;",
    "SELECT x FROM generate_series(1, 3) AS x",
]

CATALOG = [
    "SELECT relname FROM pg_class WHERE pg_table_is_visible(oid)",
    (
        "SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class"
        " WHERE pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid)"
    ),
    "SELECT column_name FROM information_schema.columns WHERE table_name = 'tenant'",
    "SELECT 1 FROM information_schema.tables WHERE table_catalog = current_database()",
    "SELECT to_regclass('tenant')",
    "SELECT 'tenant'::regclass",
    "SELECT CAST('tenant' AS regclass)::oid",
    "SELECT pg_get_viewdef('v'::regclass)",
    "SELECT current_schema()",
    "SELECT array_to_string(current_schemas(false), ' ')",
    "SELECT enumlabel FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid",
    "WITH c AS (SELECT oid FROM pg_class) SELECT array_to_string(array_agg(oid), ',') FROM c",
    "SELECT amname = current_setting('default_table_access_method') FROM pg_am",
]

DATA = {
    "SELECT * FROM tenant": "reads tenant",
    "SELECT count(*) FROM app.tenant": "reads tenant",
    "(SELECT 1) UNION (SELECT id FROM tenant)": "reads tenant",
    "WITH tenant AS (SELECT * FROM tenant) SELECT * FROM tenant": "reads tenant",
    "WITH b AS (SELECT * FROM a), a AS (SELECT 1) SELECT * FROM b": "reads a",
    "SELECT 1 WHERE EXISTS (SELECT FROM b, a)": "reads a, b",
    "TABLE tenant": "reads tenant",
    "SELECT relname FROM pg_class, pg_tenant": "reads pg_tenant",
    "SELECT rolname FROM pg_roles": "reads pg_roles",
    "SELECT setting FROM pg_settings": "reads pg_settings",
    "SELECT datname FROM pg_database": "reads pg_database",
    "SELECT reltuples FROM pg_class": "reads reltuples",
    "SELECT tableowner FROM pg_tables": "reads tableowner",
    "SELECT table_catalog FROM information_schema.tables": "reads table_catalog",
    "SELECT grantee FROM information_schema.table_privileges": "reads table_privileges",
    "SELECT version_num FROM other.alembic_version": "reads alembic_version",
    "SELECT now()": "calls current_timestamp()",
    "SELECT CURRENT_DATE": "calls current_date()",
    "SELECT LOCALTIMESTAMP": "calls localtimestamp()",
    "SELECT clock_timestamp()": "calls clock_timestamp()",
    "SELECT random()": "calls rand()",
    "SELECT gen_random_uuid()": "calls uuid()",
    "SELECT uuid_generate_v4()": "calls uuid_generate_v4()",
    "SELECT nextval('s')": "calls nextval()",
    "SELECT current_user": "calls current_user()",
    "SELECT user": "calls user",
    "SELECT current_role": "calls current_role",
    "SELECT current_database()": "calls current_database()",
    "SELECT version()": "calls current_version()",
    "SELECT current_setting('work_mem')": "calls current_setting()",
    "SELECT set_config('a.b', 'c', false)": "calls set_config()",
    "SELECT pg_try_advisory_lock(1)": "calls pg_try_advisory_lock()",
    "SELECT ours(1)": "calls ours()",
    "SELECT public.lower('X')": "calls lower()",
    "SELECT * FROM ours(1) AS x": "calls ours()",
    "SHOW search_path": "reads a setting",
    "SHOW server_version": "reads a setting",
    "INSERT INTO tenant VALUES (1) RETURNING id": "uses what a statement returned",
    "WITH gone AS (DELETE FROM tenant RETURNING *) SELECT 1": "uses what a statement returned",
    "SELECT 1 INTO one": "uses what a statement returned",
    "EXPLAIN SELECT 1": "uses what a statement returned",
    "FETCH ALL FROM held": "uses what a statement returned",
    "EXECUTE give": "uses what a statement returned",
    "CALL give()": "uses what a statement returned",
    "SELECT 1; SELECT 2": "uses what a statement returned",
    "SELECT FROM WHERE": "reads in a way that cannot be followed",
    "SELECT 'never closed": "reads in a way that cannot be followed",
    "": "uses what a statement returned",
}

#: What a target with a schema of its own may look at: the fingerprint covers that schema only.
WITHIN = [
    "SELECT relname FROM pg_class WHERE pg_table_is_visible(oid)",
    "SELECT relname FROM pg_class, pg_namespace WHERE nspname = 'one'",
    "SELECT attname FROM pg_attribute WHERE attrelid = 4711",
    "SELECT conname FROM pg_constraint WHERE conrelid IN (1, 2)",
    "SELECT amname FROM pg_am",
]
BEYOND = [
    "SELECT nspname FROM pg_namespace",
    "SELECT relname FROM pg_class, pg_namespace WHERE nspname = 'other'",
    "SELECT to_regclass('other.t')",
    "SELECT tablename FROM pg_tables",
]


@pytest.mark.parametrize("sql", NOTHING)
def test_what_does_not_differ_is_nothing(sql: str) -> None:
    """Constants, and where the target stands, are the same wherever a plan goes."""
    assert reading(sql, TARGET) == Reading(Looks.NOTHING)


@pytest.mark.parametrize("sql", CATALOG)
def test_the_catalog_is_known_by_its_names(sql: str) -> None:
    """What a fingerprint covers is the catalog: the step is replayed where that is equal."""
    assert reading(sql, TARGET) == Reading(Looks.CATALOG, "reads the catalog")


@pytest.mark.parametrize("sql", DATA)
def test_everything_else_is_data(sql: str) -> None:
    """What nobody vouches for may differ from target to target, or cannot be followed."""
    assert reading(sql, TARGET) == Reading(Looks.DATA, DATA[sql])


@pytest.mark.parametrize("sql", WITHIN)
def test_a_schema_of_ones_own_may_be_looked_at(sql: str) -> None:
    """A target with a schema looks at that, by its name, the search path, or known numbers."""
    assert reading(sql, TENANT).looks is Looks.CATALOG


@pytest.mark.parametrize("sql", BEYOND)
def test_other_schemas_are_not_covered(sql: str) -> None:
    """What a target with a schema sees of others is in no fingerprint of its own."""
    assert reading(sql, TENANT) == Reading(
        Looks.DATA, "reads the catalog beyond the target's schema"
    )


def test_the_version_table_is_the_targets_own() -> None:
    """Another name or schema of the version table is that of the settings, and no other."""
    target = replace(TARGET, version_table="changes", version_table_schema="ledger")
    assert reading("SELECT * FROM ledger.changes", target).looks is Looks.NOTHING
    assert reading("SELECT * FROM changes", target).looks is Looks.DATA
    assert reading("SELECT * FROM alembic_version", target).looks is Looks.DATA
    assert reading("SELECT * FROM alembic_version", TENANT).looks is Looks.NOTHING
    assert reading("SELECT * FROM one.alembic_version", TENANT).looks is Looks.NOTHING


@pytest.mark.parametrize(
    "sql",
    [
        "COMMIT",
        "begin",
        "START TRANSACTION READ ONLY",
        "ROLLBACK TO SAVEPOINT a",
        "/* x */ savepoint a",
        "CREATE TABLE a (); -- y\nEND",
        "PREPARE TRANSACTION 'x'",
        "VACUUM; ABORT",
        "DO 'x'; COMMIT",
        "SELECT 'never closed",
    ],
)
def test_control_of_the_transaction_is_found(sql: str) -> None:
    """Wherever in a text a statement begins or ends a transaction, it is seen."""
    assert controls_transaction(sql, TARGET)


@pytest.mark.parametrize(
    "sql",
    [
        "",
        ";;",
        "SELECT 'a; COMMIT'",
        'CREATE TABLE "; commit" ()',
        "-- ; COMMIT\nSELECT 1",
        "/* ;\nROLLBACK; */ SELECT 1",
        "DO $$ BEGIN COMMIT; END $$",
        "CREATE FUNCTION f() RETURNS int AS $x$ BEGIN; END $x$ LANGUAGE plpgsql; SELECT 1",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END; SELECT 1",
        "INSERT INTO a VALUES (E'it\\'s; COMMIT; ')",
        "PREPARE x AS SELECT 1",
        "UPDATE a SET begin = 1",
        "ALTER TABLE a RENAME TO savepoint",
    ],
)
def test_other_texts_are_left_alone(sql: str) -> None:
    """Literals, names, comments and bodies of functions control nothing."""
    assert not controls_transaction(sql, TARGET)


@pytest.mark.parametrize(
    ("sql", "nests"),
    [
        ("SAVEPOINT a", True),
        (" release savepoint a ; ", True),
        ("SAVEPOINT a; SELECT 1", False),
        ("ROLLBACK TO SAVEPOINT a", False),
        ("", False),
    ],
)
def test_a_savepoint_alone_is_nesting(sql: str, nests: bool) -> None:  # noqa: FBT001 - what is expected
    """A savepoint that is made or given back, and nothing else, changes nothing."""
    assert is_nesting(sql) is nests
