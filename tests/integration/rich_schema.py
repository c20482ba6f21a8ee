"""A schema with some of everything, small changes to it, and acts that change nothing."""

from __future__ import annotations

from collections.abc import Mapping

#: For every server that is supported. What names no schema lies in the first of the search path.
RICH = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN positive AS integer DEFAULT 1 CONSTRAINT is_positive CHECK (VALUE > 0);
CREATE TYPE point3 AS (x double precision, y double precision, z double precision);
CREATE TYPE span AS RANGE (subtype = double precision);

CREATE TABLE users (
    id bigserial PRIMARY KEY,
    email text NOT NULL COLLATE "C",
    status varchar(20) CHECK (status IN ('new', 'old', 'it''s')),
    mood mood DEFAULT 'ok',
    score numeric(10, 2) DEFAULT 0,
    seen timestamptz DEFAULT '2020-01-01 12:00:00+00',
    every interval DEFAULT '1 day 2 hours',
    born date DEFAULT '2001-02-03',
    price money DEFAULT 12.5,
    ratio double precision DEFAULT '0.1234567890123456'::double precision,
    raw bytea DEFAULT '\\x616263',
    path text DEFAULT 'c:\\temp'
);
CREATE UNIQUE INDEX ix_users_email ON users (lower(email)) WHERE status IN ('new', 'old');
CREATE INDEX ix_users_score ON users (score DESC NULLS LAST) INCLUDE (born) WITH (fillfactor = 80);
COMMENT ON COLUMN users.email IS 'the address';
COMMENT ON TABLE users IS 'who signs in';
ALTER TABLE users SET (fillfactor = 70, autovacuum_enabled = off);

CREATE TABLE orders (
    id integer GENERATED ALWAYS AS IDENTITY (START 100),
    user_id bigint NOT NULL,
    amount positive,
    double_amount integer GENERATED ALWAYS AS (amount * 2) STORED,
    CONSTRAINT orders_pkey PRIMARY KEY (id),
    CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE,
    CONSTRAINT orders_once UNIQUE (user_id, amount) DEFERRABLE,
    CONSTRAINT orders_apart EXCLUDE USING gist (int4range(id, id + 1) WITH &&)
);
CREATE TABLE base (a integer, b varchar(20), CONSTRAINT base_a CHECK (a > 0));
CREATE TABLE derived (c integer) INHERITS (base);
CREATE TABLE events (id bigint, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE INDEX ix_events_at ON events (at);
CREATE TABLE events_2020 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE events_2021 PARTITION OF events FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
CREATE TABLE "Odd ""name"" of it" ("a.b" integer, "Ünï" text);

CREATE VIEW active AS SELECT id, email FROM users WHERE status IN ('new', 'old');
CREATE MATERIALIZED VIEW totals AS SELECT user_id, sum(amount) AS total FROM orders GROUP BY 1;
CREATE UNIQUE INDEX ix_totals ON totals (user_id);
CREATE SEQUENCE tickets START 5 INCREMENT 5 MAXVALUE 1000 CYCLE;

CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE FUNCTION twice(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT n * 2';
CREATE FUNCTION twice(n text) RETURNS text LANGUAGE sql AS 'SELECT n || n';
CREATE FUNCTION uuidv7() RETURNS uuid LANGUAGE sql AS 'SELECT gen_random_uuid()';
CREATE PROCEDURE tidy() LANGUAGE sql AS 'DELETE FROM pg_catalog.pg_class WHERE false';
CREATE AGGREGATE total (integer) (sfunc = int4pl, stype = integer, initcond = '0');
CREATE TABLE tokens (id uuid DEFAULT uuidv7(), n integer DEFAULT twice(2));
CREATE TRIGGER touched BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER each_event AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION touch();
CREATE RULE no_delete AS ON DELETE TO base DO INSTEAD NOTHING;
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON users FOR SELECT USING (id > 3);
CREATE STATISTICS by_mood (dependencies) ON mood, status FROM users;
CREATE OPERATOR ~~~ (leftarg = integer, rightarg = integer, function = int4pl);
CREATE TEXT SEARCH CONFIGURATION words (COPY = simple);
CREATE COLLATION plain (provider = libc, locale = 'C');
"""

#: Each of them shows in ``pg_dump --schema-only``.
CHANGES: Mapping[str, str] = {
    "table added": "CREATE TABLE extra (id integer)",
    "table dropped": "DROP TABLE tokens",
    "table renamed": "ALTER TABLE tokens RENAME TO keys",
    "table unlogged": "ALTER TABLE tokens SET UNLOGGED",
    "table option": "ALTER TABLE users SET (fillfactor = 71)",
    "toast option": "ALTER TABLE users SET (toast.autovacuum_enabled = off)",
    "table comment": "COMMENT ON TABLE users IS 'who signs in here'",
    "row security off": "ALTER TABLE users DISABLE ROW LEVEL SECURITY",
    "row security forced": "ALTER TABLE users FORCE ROW LEVEL SECURITY",
    "replica identity full": "ALTER TABLE users REPLICA IDENTITY FULL",
    "replica identity index": "ALTER TABLE users REPLICA IDENTITY USING INDEX users_pkey",
    "clustered": "ALTER TABLE users CLUSTER ON ix_users_score",
    "schema moved": "CREATE SCHEMA attic; ALTER TABLE tokens SET SCHEMA attic",
    "column added": "ALTER TABLE tokens ADD COLUMN extra text",
    "column dropped": "ALTER TABLE tokens DROP COLUMN n",
    "column renamed": "ALTER TABLE tokens RENAME COLUMN n TO m",
    "column moved": "ALTER TABLE derived DROP COLUMN c; ALTER TABLE tokens ADD c integer;"
    " ALTER TABLE tokens DROP n; ALTER TABLE tokens ADD n integer DEFAULT twice(2)",
    "column type": "ALTER TABLE tokens ALTER n TYPE bigint",
    "column length": "ALTER TABLE base ALTER b TYPE varchar(21)",
    "column precision": "ALTER TABLE users ALTER score TYPE numeric(10, 3)",
    "column collation": 'ALTER TABLE tokens ADD c text COLLATE "POSIX"',
    "column not null": "ALTER TABLE users ALTER status SET NOT NULL",
    "column nullable": "ALTER TABLE users ALTER email DROP NOT NULL",
    "column default": "ALTER TABLE tokens ALTER n SET DEFAULT twice(3)",
    "column without default": "ALTER TABLE tokens ALTER n DROP DEFAULT",
    "column identity kind": "ALTER TABLE orders ALTER id SET GENERATED BY DEFAULT",
    "column identity dropped": "ALTER TABLE orders ALTER id DROP IDENTITY",
    "column generated no more": "ALTER TABLE orders ALTER double_amount DROP EXPRESSION",
    "column storage": "ALTER TABLE users ALTER email SET STORAGE EXTERNAL",
    "column statistics": "ALTER TABLE users ALTER email SET STATISTICS 500",
    "column option": "ALTER TABLE users ALTER email SET (n_distinct = 5)",
    "column comment": "COMMENT ON COLUMN users.email IS 'the mail address'",
    "column comment gone": "COMMENT ON COLUMN users.email IS NULL",
    "index added": "CREATE INDEX ix_new ON users (mood)",
    "index dropped": "DROP INDEX ix_users_score",
    "index renamed": "ALTER INDEX ix_users_score RENAME TO ix_other",
    "index predicate": "DROP INDEX ix_users_email; CREATE UNIQUE INDEX ix_users_email"
    " ON users (lower(email)) WHERE status IN ('new', 'ancient')",
    "index method": "DROP INDEX ix_totals; CREATE INDEX ix_totals ON totals USING hash (user_id)",
    "index uniqueness": "DROP INDEX ix_totals; CREATE INDEX ix_totals ON totals (user_id)",
    "index option": "ALTER INDEX ix_users_score SET (fillfactor = 81)",
    "index statistics": "ALTER INDEX ix_users_email ALTER COLUMN 1 SET STATISTICS 300",
    "index comment": "COMMENT ON INDEX ix_users_score IS 'for the list'",
    "index invalid": "UPDATE pg_index SET indisvalid = false"
    " WHERE indexrelid = 'ix_users_score'::regclass",
    "key's index comment": "COMMENT ON INDEX orders_pkey IS 'the key'",
    "check added": "ALTER TABLE tokens ADD CHECK (n > 0)",
    "check not valid": "ALTER TABLE tokens ADD CONSTRAINT c CHECK (n > 0) NOT VALID",
    "check dropped": "ALTER TABLE users DROP CONSTRAINT users_status_check",
    "check changed": "ALTER TABLE users DROP CONSTRAINT users_status_check, ADD CONSTRAINT"
    " users_status_check CHECK (status IN ('new', 'old'))",
    "constraint renamed": "ALTER TABLE orders RENAME CONSTRAINT orders_once TO orders_twice",
    "constraint comment": "COMMENT ON CONSTRAINT orders_user ON orders IS 'whose'",
    "key dropped": "ALTER TABLE orders DROP CONSTRAINT orders_pkey",
    "unique initially deferred": "ALTER TABLE orders DROP CONSTRAINT orders_once,"
    " ADD CONSTRAINT orders_once UNIQUE (user_id, amount) DEFERRABLE INITIALLY DEFERRED",
    "foreign key deferrable": "ALTER TABLE orders ALTER CONSTRAINT orders_user DEFERRABLE",
    "foreign key action": "ALTER TABLE orders DROP CONSTRAINT orders_user, ADD CONSTRAINT"
    " orders_user FOREIGN KEY (user_id) REFERENCES users ON DELETE SET NULL",
    "inheritance off": "ALTER TABLE derived NO INHERIT base",
    "partition added": "CREATE TABLE events_rest PARTITION OF events DEFAULT",
    "partition detached": "ALTER TABLE events DETACH PARTITION events_2020",
    "partition bounds": "ALTER TABLE events DETACH PARTITION events_2021; ALTER TABLE events ATTACH"
    " PARTITION events_2021 FOR VALUES FROM ('2021-01-01') TO ('2021-07-01')",
    "view changed": "CREATE OR REPLACE VIEW active AS SELECT id, email FROM users WHERE id > 1",
    "view option": "ALTER VIEW active SET (security_barrier = true)",
    "view column default": "ALTER VIEW active ALTER COLUMN email SET DEFAULT 'x'",
    "view dropped": "DROP VIEW active",
    "materialized view dropped": "DROP MATERIALIZED VIEW totals",
    "sequence increment": "ALTER SEQUENCE tickets INCREMENT 6",
    "sequence start": "ALTER SEQUENCE tickets START 6",
    "sequence bounds": "ALTER SEQUENCE tickets MAXVALUE 1001",
    "sequence cycle": "ALTER SEQUENCE tickets NO CYCLE",
    "sequence cache": "ALTER SEQUENCE tickets CACHE 7",
    "sequence type": "ALTER SEQUENCE tickets AS integer",
    "sequence owner": "ALTER SEQUENCE tickets OWNED BY tokens.n",
    "sequence owned by none": "ALTER SEQUENCE users_id_seq OWNED BY NONE",
    "label added": "ALTER TYPE mood ADD VALUE 'elated'",
    "label put between": "ALTER TYPE mood ADD VALUE 'so so' BEFORE 'ok'",
    "label renamed": "ALTER TYPE mood RENAME VALUE 'sad' TO 'low'",
    "type renamed": "ALTER TYPE mood RENAME TO temper",
    "type comment": "COMMENT ON TYPE mood IS 'how they feel'",
    "domain check": "ALTER DOMAIN positive ADD CONSTRAINT small CHECK (VALUE < 100)",
    "domain default": "ALTER DOMAIN positive SET DEFAULT 2",
    "domain not null": "ALTER DOMAIN positive SET NOT NULL",
    "composite attribute": "ALTER TYPE point3 ADD ATTRIBUTE t real",
    "composite attribute type": "ALTER TYPE point3 ALTER ATTRIBUTE x TYPE real",
    "range added": "CREATE TYPE days AS RANGE (subtype = date)",
    "function body": "CREATE OR REPLACE FUNCTION twice(n integer) RETURNS integer LANGUAGE sql"
    " IMMUTABLE AS 'SELECT n + n'",
    "function volatility": "ALTER FUNCTION twice(integer) STABLE",
    "function security": "ALTER FUNCTION twice(integer) SECURITY DEFINER",
    "function setting": "ALTER FUNCTION twice(integer) SET search_path = pg_catalog",
    "function overloaded": "CREATE FUNCTION twice(n bigint) RETURNS bigint LANGUAGE sql"
    " AS 'SELECT n'",
    "function dropped": "DROP FUNCTION twice(text)",
    "function comment": "COMMENT ON FUNCTION twice(text) IS 'twice'",
    "procedure body": "CREATE OR REPLACE PROCEDURE tidy() LANGUAGE sql AS 'SELECT 1'",
    "aggregate": "DROP AGGREGATE total (integer); CREATE AGGREGATE total (integer)"
    " (sfunc = int4pl, stype = integer, initcond = '1')",
    "trigger dropped": "DROP TRIGGER touched ON users",
    "trigger disabled": "ALTER TABLE users DISABLE TRIGGER touched",
    "trigger always": "ALTER TABLE users ENABLE ALWAYS TRIGGER touched",
    "partition's trigger disabled": "ALTER TABLE events_2020 DISABLE TRIGGER each_event",
    "trigger condition": "DROP TRIGGER touched ON users; CREATE TRIGGER touched BEFORE UPDATE"
    " ON users FOR EACH ROW WHEN (OLD.id > 1) EXECUTE FUNCTION touch()",
    "rule dropped": "DROP RULE no_delete ON base",
    "rule disabled": "ALTER TABLE base DISABLE RULE no_delete",
    "policy condition": "ALTER POLICY own ON users USING (id > 4)",
    "policy role": "ALTER POLICY own ON users TO pg_monitor",
    "policy restrictive": "DROP POLICY own ON users;"
    " CREATE POLICY own ON users AS RESTRICTIVE FOR SELECT USING (id > 3)",
    "statistics kinds": "DROP STATISTICS by_mood;"
    " CREATE STATISTICS by_mood (ndistinct) ON mood, status FROM users",
    "statistics target": "ALTER STATISTICS by_mood SET STATISTICS 50",
    "operator added": "CREATE OPERATOR ~~~> (leftarg = text, rightarg = text, function = textcat)",
    "operator dropped": "DROP OPERATOR ~~~ (integer, integer)",
    "operator class": "CREATE OPERATOR CLASS odd FOR TYPE integer USING btree AS"
    " OPERATOR 1 <, FUNCTION 1 btint4cmp(integer, integer)",
    "operator family": "CREATE OPERATOR FAMILY odds USING hash",
    "text search mapping": "ALTER TEXT SEARCH CONFIGURATION words"
    " ALTER MAPPING FOR asciiword WITH english_stem",
    "text search dictionary": "CREATE TEXT SEARCH DICTIONARY d (template = simple, accept = false)",
    "collation": "DROP COLLATION plain; CREATE COLLATION plain (provider = libc, locale = 'POSIX')",
    "conversion": "CREATE CONVERSION c FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8",
}

#: What lies beside the schemas, or makes another: a target with a schema of its own shows none.
DATABASE_CHANGES: Mapping[str, str] = {
    "schema added": "CREATE SCHEMA attic",
    "schema comment": "COMMENT ON SCHEMA public IS 'ours'",
    "schema dropped": "DROP SCHEMA IF EXISTS public CASCADE",
    "extension": "CREATE EXTENSION hstore",
    "cast": "CREATE CAST (integer AS date) WITH INOUT",
    "event trigger": "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS"
    " 'BEGIN END'; CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()",
    "publication": "CREATE PUBLICATION p FOR ALL TABLES",
    "publication of a table": "CREATE PUBLICATION p FOR TABLE users",
    "subscription": "CREATE SUBSCRIPTION s CONNECTION 'dbname=x' PUBLICATION p"
    " WITH (connect = false)",
    "foreign data wrapper": "CREATE FOREIGN DATA WRAPPER w",
    "server": "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w",
    "access method": "CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler",
    "language": "CREATE LANGUAGE sql2 HANDLER plpgsql_call_handler",
}

#: By the version that brought them.
NEWER_CHANGES: Mapping[int, Mapping[str, str]] = {
    14: {"column compression": "ALTER TABLE users ALTER email SET COMPRESSION pglz"},
    15: {
        "nulls not distinct": "ALTER TABLE orders DROP CONSTRAINT orders_once, ADD CONSTRAINT"
        " orders_once UNIQUE NULLS NOT DISTINCT (user_id, amount) DEFERRABLE",
        "security invoker": "ALTER VIEW active SET (security_invoker = true)",
        "sequence unlogged": "ALTER SEQUENCE tickets SET UNLOGGED",
    },
    18: {
        "virtual column": "ALTER TABLE tokens ADD m integer GENERATED ALWAYS AS (n * 2) VIRTUAL",
        "check not enforced": "ALTER TABLE tokens ADD CONSTRAINT c CHECK (n > 0) NOT ENFORCED",
        "not null named": "ALTER TABLE users RENAME CONSTRAINT users_email_not_null TO mail",
        "not null not valid": "ALTER TABLE users ADD CONSTRAINT c NOT NULL status NOT VALID",
    },
}

#: None of them shows in ``pg_dump --schema-only``, owners and privileges aside.
NO_CHANGES: Mapping[str, str] = {
    "nothing": "SELECT 1",
    "rows": "INSERT INTO base VALUES (1, 'x'); INSERT INTO users (email) VALUES ('a@example.org')",
    "next value": "SELECT nextval('tickets')",
    "value set": "SELECT setval('users_id_seq', 77)",
    "analyze": "ANALYZE",
    "reindex": "REINDEX TABLE users",
    "refresh": "REFRESH MATERIALIZED VIEW totals",
    "create and drop": "CREATE TABLE extra (id serial PRIMARY KEY); DROP TABLE extra",
    "add and drop a column": "ALTER TABLE tokens ADD extra text; ALTER TABLE tokens DROP extra",
    "index made again": "DROP INDEX ix_users_score; CREATE INDEX ix_users_score"
    " ON users (score DESC NULLS LAST) INCLUDE (born) WITH (fillfactor = 80)",
    "function made again": "CREATE OR REPLACE FUNCTION twice(n text) RETURNS text LANGUAGE sql"
    " AS 'SELECT n || n'",
    "options in another order": "ALTER TABLE users RESET (fillfactor, autovacuum_enabled);"
    " ALTER TABLE users SET (autovacuum_enabled = off, fillfactor = 70)",
    "grant": "GRANT SELECT ON users TO pg_monitor",
    "owner": "ALTER TABLE tokens OWNER TO pg_monitor",
    "default privileges": "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
}

#: The same, of what cannot stand in a transaction.
NO_CHANGES_ALONE: Mapping[str, str] = {
    "vacuum": "VACUUM",
    "vacuum full": "VACUUM FULL",
    "reindex concurrently": "REINDEX TABLE CONCURRENTLY users",
}
