"""Which texts reach beyond a shadow: what they change is not thrown away with it."""

from __future__ import annotations

import pytest

from sync.plan.runner.outside import found_in

REACHING = [
    "SELECT dblink_exec('host=prod', 'DELETE FROM t')",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity",
    "COPY t TO PROGRAM 'mail ada'",
    "CREATE SUBSCRIPTION s CONNECTION 'host=prod' PUBLICATION p",
    "create  server prod FOREIGN DATA WRAPPER postgres_fdw",
    "IMPORT FOREIGN SCHEMA public FROM SERVER prod INTO x",
]
SERVER_WIDE = [
    "CREATE ROLE app",
    "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles) THEN CREATE USER app; END IF; END $$",
    "ALTER DATABASE eu SET timezone = 'UTC'",
    "alter system set work_mem = '9MB'",
    "DROP OWNED BY app",
    "COMMENT ON DATABASE eu IS 'x'",
    "GRANT CONNECT ON DATABASE eu TO app",
    'GRANT "readers", writers TO app',
    "REVOKE readers FROM app",
    "SELECT pg_create_logical_replication_slot('s', 'pgoutput')",
]
WITHIN = [
    "CREATE TABLE users (role text, copy int)",
    "CREATE INDEX i ON role (name)",
    "CREATE USER MAPPING FOR app SERVER prod",
    "GRANT SELECT ON t TO app",
    "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM app",
    "ALTER TABLE t OWNER TO app",
    "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO app",
    "INSERT INTO t (program) VALUES ('server')",
]


@pytest.mark.parametrize("sql", REACHING)
def test_other_servers_and_programs_are_never_reached(sql: str) -> None:
    """Wherever the shadow is, nothing else may notice it."""
    assert found_in(sql, on_own_server=True)
    assert found_in(sql, on_own_server=False)


@pytest.mark.parametrize("sql", SERVER_WIDE)
def test_a_server_as_a_whole_is_changed_where_it_is_our_own(sql: str) -> None:
    """What holds for all databases of a server is done on one that is thrown away, only."""
    assert not found_in(sql, on_own_server=True)
    assert found_in(sql, on_own_server=False)


@pytest.mark.parametrize("sql", WITHIN)
def test_what_stays_within_the_database_is_sent(sql: str) -> None:
    """Tables, rights on them, and names that look like other things."""
    assert not found_in(sql, on_own_server=False)
