"""Bodies of scripts, and what each must be compiled to: one table for all drivers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Case:
    """One script's body."""

    body: str
    why: str = ""  #: what the only reason says, or the first one; nothing for a static step
    sends: str = ""  #: what stands in a statement of a replayed step
    asyncpg: bool = True  #: asyncpg takes it too


#: Tables that all cases find.
GROUND = """
op.create_table(
    "tenant", sa.Column("id", sa.Integer, primary_key=True), sa.Column("slug", sa.Text)
)
op.create_table("note", sa.Column("id", sa.Integer, primary_key=True), sa.Column("said", sa.Text))
op.execute("INSERT INTO tenant (id, slug) VALUES (1, 'ABC'), (2, 'dEf')")
op.execute("CREATE SEQUENCE ticket START 40")
op.execute("CREATE TYPE mood AS ENUM ('calm')")
"""

#: One parameter of each type that scripts have been seen with.
MANY = """
import datetime as dt, decimal, enum, uuid
from sqlalchemy.dialects import postgresql as pg
class Colour(str, enum.Enum):
    RED = "r'ed"
columns = [
    sa.Column("i", sa.Integer), sa.Column("n", sa.Numeric), sa.Column("f", sa.Float(53)),
    sa.Column("b", sa.LargeBinary), sa.Column("z", sa.DateTime(timezone=True)),
    sa.Column("d", sa.Date), sa.Column("t", sa.Time), sa.Column("v", sa.Interval),
    sa.Column("u", pg.UUID(as_uuid=True)), sa.Column("a", pg.ARRAY(sa.Integer)),
    sa.Column("e", pg.ARRAY(sa.Text)), sa.Column("j", pg.JSONB), sa.Column("y", sa.Boolean),
    sa.Column("c", sa.Text),
]
many = op.create_table("many", *columns)
row = dict(
    i=-1, n=decimal.Decimal("-1.50"), f=0.1, b=b"\\x00'\\\\\\xff",
    z=dt.datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=30))),
    d=dt.date(1, 1, 2), t=dt.time(23, 59, 59, 999999), v=dt.timedelta(days=-1, microseconds=5),
    u=uuid.UUID(int=7), a=[1, -2], e=["a,b", None, 'q"\\\\', "NULL"], j={"k": "v':%s $1 :x"},
    y=True, c=Colour.RED,
)
op.bulk_insert(many, [row])
op.bulk_insert(many, [{**row, "i": 2, "a": [], "e": None, "f": -1e300, "j": None}, {**row, "i": 3}])
"""

STATIC = {
    "a table with an index": Case(
        'op.create_table("t1", sa.Column("id", sa.Integer, primary_key=True),'
        ' sa.Column("a", sa.Text, index=True), sa.Column("b", sa.Text, index=True))',
        sends="CREATE TABLE t1",
    ),
    "an update without a look at it": Case(
        "op.execute(\"UPDATE tenant SET slug = slug || '!'\")", sends="UPDATE tenant"
    ),
    "a function's body": Case(
        'op.execute("CREATE PROCEDURE pause() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$")\n'
        'op.execute("CREATE FUNCTION tell() RETURNS int LANGUAGE sql AS'
        " 'SELECT count(*)::int FROM tenant'\")",
        sends="COMMIT; END",
    ),
    "a DO block that reads": Case(
        'op.execute("DO $body$ DECLARE r record; BEGIN FOR r IN SELECT * FROM tenant LOOP '
        "INSERT INTO note VALUES (r.id + 100, '% ' || r.slug); END LOOP; END $body$\")",
        sends="FOR r IN SELECT",
    ),
    "rows from Python, bulk": Case(
        'note = sa.table("note", sa.column("id", sa.Integer), sa.column("said", sa.Text))\n'
        'op.bulk_insert(note, [{"id": 11, "said": "Free 100% off :x"}, '
        '{"id": 12, "said": "O\'Pro; -- no"}, {"id": 13, "said": None}])',
        sends="O''Pro",
    ),
    "a column default of Python": Case(
        'note = sa.table("note", sa.column("id", sa.Integer), '
        'sa.Column("said", sa.Text, default=lambda: "made"))\n'
        'op.bulk_insert(note, [{"id": 14}])',
        sends="'made'",
    ),
    "text that is not ASCII": Case(
        "op.execute(sa.text(\"INSERT INTO note VALUES (15, 'Zürich ✓ 日本')\"))",
        sends="Zürich ✓ 日本",
    ),
    "a percent sign and a colon": Case(
        "op.execute(\"INSERT INTO note VALUES (16, '50% of 10:30, \\\\:x')\")", sends="50%"
    ),
    "a backslash in a parameter": Case(
        'op.get_bind().execute(sa.text("INSERT INTO note VALUES (:i, :s)"), '
        '{"i": 17, "s": "a\\\\b \'q\' %s $1 :x"})',
        sends="INSERT INTO note",
    ),
    "dollar quotes within dollar quotes": Case(
        'op.execute("CREATE FUNCTION deep() RETURNS void LANGUAGE plpgsql AS $a$ BEGIN '
        "EXECUTE $b$ INSERT INTO note VALUES (18, 'x;y') $b$; END $a$\")\n"
        'op.execute("DO $$ BEGIN PERFORM deep(); END $$")',
        sends="$b$",
    ),
    "a comment at the end": Case(
        "op.execute(\"INSERT INTO note VALUES (19, 'c') -- the end\")\n"
        "op.execute(\"INSERT INTO note VALUES (20, 'd') /* the end */;\")",
        sends="-- the end",
    ),
    "several statements in one text": Case(
        "op.execute(\"INSERT INTO note VALUES (21, 'e'); INSERT INTO note VALUES (22, 'f');\")",
        sends="(22,",
        asyncpg=False,
    ),
    "a text of a megabyte": Case(
        "op.execute(\"INSERT INTO note VALUES (23, '\" + 'long ' * 200_000 + \"')\")",
        sends="long long",
    ),
    "a call whose result nobody looks at": Case(
        "op.execute(\"SELECT setval('ticket', 70)\")", sends="setval"
    ),
    "a number from a sequence, by the server": Case(
        "op.execute(\"INSERT INTO note SELECT nextval('ticket'), 'seq'\")\n"
        "op.execute(\"INSERT INTO note SELECT currval('ticket') + 1000, lastval()::text\")",
        sends="currval",
    ),
    "a savepoint that is kept": Case(
        "with op.get_bind().begin_nested():\n"
        "    op.execute(\"INSERT INTO note VALUES (24, 'nested')\")",
        sends="'nested'",
    ),
    "a step that does nothing": Case("pass"),
    "a constant that is looked at": Case('op.get_bind().scalar(sa.text("SELECT 1"))'),
    "a setting for one transaction": Case(
        'op.execute("CREATE SCHEMA aside")\n'
        'op.execute("SET LOCAL search_path TO aside")\n'
        'op.execute("CREATE TABLE t2 (id int)")\n'
        'op.execute("SET LOCAL search_path TO public")',
        sends="SET LOCAL",
    ),
    "a temporary table of one step": Case(
        'op.execute("CREATE TEMP TABLE passing AS SELECT id + 200 AS id, slug FROM tenant")\n'
        'op.execute("INSERT INTO note SELECT * FROM passing")\n'
        'op.execute("DROP TABLE passing")',
        sends="CREATE TEMP TABLE",
    ),
    "a value of an enum, outside a transaction": Case(
        "with op.get_context().autocommit_block():\n"
        "    op.execute(\"ALTER TYPE mood ADD VALUE 'wild'\")\n"
        "op.execute(\"ALTER TABLE note ADD COLUMN mood mood DEFAULT 'wild'\")",
        sends="ADD VALUE",
    ),
    "an index made concurrently": Case(
        "with op.get_context().autocommit_block():\n"
        '    op.create_index("ix_note_said", "note", [sa.text("md5(said)")],'
        " postgresql_concurrently=True)",
        sends="CONCURRENTLY",
    ),
    "literals that SQLAlchemy writes": Case(
        "op.execute(sa.text(\"INSERT INTO note VALUES (25, '\" + 'it''s' + \"')\"))\n"
        'op.execute(sa.insert(sa.table("note", sa.column("id"), sa.column("said")))'
        '.values(id=26, said="inline"))',
        sends="'inline'",
    ),
    "a function with a numbered parameter": Case(
        "op.execute(\"CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS 'SELECT $1 * 2'\")",
        sends="$1 * 2",
    ),
    "a function whose body is SQL": Case(
        'op.execute("CREATE FUNCTION thrice(n int) RETURNS int BEGIN ATOMIC SELECT 1;'
        ' SELECT n * 3; END")',
        sends="BEGIN ATOMIC",
    ),
    "parameters of many types": Case(MANY, sends="INSERT INTO many"),
    "what a setting of the database says": Case(
        "op.execute(\"INSERT INTO note VALUES (27, current_setting('DateStyle'))\")",
        sends="current_setting",
    ),
    "a table that may be there": Case(
        'op.execute("CREATE TABLE IF NOT EXISTS tenant (other int)")', sends="IF NOT EXISTS"
    ),
    "two indexes without a name": Case(
        'op.execute("CREATE INDEX ON note (upper(left(said, 9)))")\n'
        'op.execute("CREATE INDEX ON note (lower(left(said, 9)))")',
        sends="ON note (upper",
    ),
    "a directive that asks the server itself": Case(
        'op.create_table("tenant", sa.Column("other", sa.Integer), if_not_exists=True)\n'
        'op.drop_table("nowhere", if_exists=True)',
        sends="IF NOT EXISTS tenant",
    ),
    "a lock": Case('op.execute("LOCK TABLE note IN EXCLUSIVE MODE")', sends="LOCK TABLE"),
    "an advisory lock of the transaction": Case(
        'op.execute("SELECT pg_advisory_xact_lock(7)")', sends="pg_advisory_xact_lock"
    ),
}

CATALOG = {
    "an inspector": Case(
        'if "nowhere" not in sa.inspect(op.get_bind()).get_table_names():\n'
        '    op.execute("CREATE TABLE t3 (id int)")',
        why="reads the catalog",
        sends="CREATE TABLE t3",
    ),
    "everything an inspector tells": Case(
        "inspector = sa.inspect(op.get_bind())\n"
        "inspector.get_columns('tenant'), inspector.get_pk_constraint('tenant')\n"
        "inspector.get_foreign_keys('tenant'), inspector.get_indexes('tenant')\n"
        "inspector.get_unique_constraints('tenant'), inspector.get_check_constraints('tenant')\n"
        "inspector.get_table_comment('tenant'), inspector.get_view_names()\n"
        "inspector.get_schema_names(), inspector.get_enums(), inspector.get_sequence_names()\n"
        "inspector.has_table('tenant'), inspector.has_index('tenant', 'x')\n"
        "inspector.has_schema('aside'), inspector.get_table_options('tenant')",
        why="reads the catalog",
    ),
    "checkfirst": Case(
        'sa.Table("t4", sa.MetaData(), sa.Column("id", sa.Integer)).create(op.get_bind(),'
        " checkfirst=True)",
        why="reads the catalog",
        sends="CREATE TABLE t4",
    ),
    "an enum with checkfirst": Case(
        'sa.Enum("x", "y", name="xy").create(op.get_bind(), checkfirst=True)',
        why="reads the catalog",
        sends="CREATE TYPE xy",
    ),
    "information_schema": Case(
        'found = op.get_bind().execute(sa.text("SELECT column_name FROM '
        "information_schema.columns WHERE table_name = 'tenant'\")).fetchall()\n"
        'op.execute(f"CREATE TABLE t5 (n int DEFAULT {len(found)})")',
        why="reads the catalog",
        sends="DEFAULT 2",
    ),
    "to_regclass": Case(
        "op.get_bind().scalar(sa.text(\"SELECT to_regclass('tenant')\"))",
        why="reads the catalog",
    ),
    "reflection": Case(
        'sa.Table("tenant", sa.MetaData(), autoload_with=op.get_bind())',
        why="reads the catalog",
    ),
}

READS = {
    "rows of a table": Case(
        "bind = op.get_bind()\n"
        'for row in bind.execute(sa.text("SELECT id, slug FROM tenant")).fetchall():\n'
        '    bind.execute(sa.text("UPDATE tenant SET slug = :s WHERE id = :i"),'
        ' {"s": row.slug.lower(), "i": row.id})',
        why="reads tenant, {file} line 12",
    ),
    "how many rows there are": Case(
        'op.get_bind().scalar(sa.text("SELECT count(*) FROM tenant"))',
        why="reads tenant, {file} line 11",
    ),
    "rows through a common table expression": Case(
        'op.get_bind().scalar(sa.text("WITH a AS (SELECT * FROM tenant) SELECT max(id) FROM a"))',
        why="reads tenant, {file} line 11",
    ),
    "RETURNING": Case(
        "op.get_bind().scalar(sa.text(\"INSERT INTO note VALUES (30, 'r') RETURNING id\"))",
        why="uses what a statement returned, {file} line 11",
    ),
    "now() in a SELECT": Case(
        'op.get_bind().scalar(sa.text("SELECT now()"))', why="calls current_timestamp()"
    ),
    "nextval() in a SELECT": Case(
        "op.get_bind().scalar(sa.text(\"SELECT nextval('ticket')\"))", why="calls nextval()"
    ),
    "a function of the server's version": Case(
        'op.get_bind().scalar(sa.text("SELECT version()"))', why="calls current_version()"
    ),
    "a setting": Case('op.get_bind().scalar(sa.text("SHOW work_mem"))', why="reads a setting"),
    "the name of the database": Case(
        'op.get_bind().scalar(sa.text("SELECT current_database()"))', why="calls current_"
    ),
    "the size of a relation": Case(
        "op.get_bind().scalar(sa.text(\"SELECT pg_relation_size('tenant')\"))",
        why="calls pg_relation_size()",
    ),
    "estimates in the catalog": Case(
        'op.get_bind().scalar(sa.text("SELECT reltuples FROM pg_class'
        " WHERE relname = 'tenant'\"))",
        why="reads reltuples",
    ),
    "who is connected": Case(
        'op.get_bind().scalar(sa.text("SELECT count(*) FROM pg_stat_activity"))',
        why="reads pg_stat_activity",
    ),
    "a plan of the server": Case(
        'op.get_bind().execute(sa.text("EXPLAIN SELECT * FROM tenant")).fetchall()',
        why="uses what a statement returned",
    ),
    "a user's function": Case(
        'op.get_bind().scalar(sa.text("SELECT length(public.tell()::text)"))', why="calls tell()"
    ),
}

LOOKS = {
    "rows of a table, one by one": Case(
        'found = op.get_bind().execute(sa.text("SELECT id FROM tenant"))\n'
        "while row := found.fetchone():\n    pass",
        why="reads tenant, {file} line 11",
    ),
    "rows of a table, in a loop": Case(
        'for row in op.get_bind().execute(sa.text("SELECT id FROM tenant")):\n    pass',
        why="reads tenant, {file} line 11",
    ),
    "rows of a table, by a cursor of the server": Case(
        'query = sa.text("SELECT id FROM tenant").execution_options(stream_results=True)\n'
        "for row in op.get_bind().execute(query):\n    pass",
        why="reads tenant, {file} line 12",
    ),
    "rows of a table, by a session of the ORM": Case(
        "from sqlalchemy.orm import Session\n"
        "session = Session(bind=op.get_bind())\n"
        'session.execute(sa.text("SELECT id FROM tenant")).all()\n'
        "session.commit()",
        why="reads tenant, {file} line 13",
    ),
    "nothing but what a result is called": Case(
        'op.get_bind().execute(sa.text("SELECT id FROM tenant")).keys()',
    ),
}

DEFIES = {
    "a swallowed error": Case(
        "try:\n    with op.get_bind().begin_nested():\n"
        '        op.execute("ALTER TABLE tenant ADD COLUMN slug text")\n'
        "except Exception:\n    pass",
        why="goes on after ",
    ),
    "a nested transaction that is rolled back": Case(
        "nested = op.get_bind().begin_nested()\n"
        "op.execute(\"INSERT INTO note VALUES (31, 'gone')\")\n"
        "nested.rollback()",
        why="begins or ends a transaction in its SQL",
    ),
    "how many rows were changed": Case(
        'if op.get_bind().execute(sa.text("UPDATE tenant SET id = id")).rowcount:\n'
        "    op.execute(\"INSERT INTO note VALUES (32, 'some')\")",
        why="asks how many rows were changed, {file} line 11",
    ),
    "COMMIT": Case(
        'op.execute("COMMIT")\nop.execute("CREATE TABLE t6 (id int)")',
        why="begins or ends a transaction in its SQL",
        asyncpg=False,
    ),
    "COMMIT behind another statement": Case(
        'op.execute("CREATE TABLE t7 (id int); COMMIT; BEGIN")',
        why="begins or ends a transaction in its SQL",
        asyncpg=False,
    ),
    "SAVEPOINT and ROLLBACK TO": Case(
        'op.execute("SAVEPOINT here")\n'
        "op.execute(\"INSERT INTO note VALUES (33, 'gone')\")\n"
        'op.execute("ROLLBACK TO SAVEPOINT here")',
        why="begins or ends a transaction in its SQL",
    ),
    "uuid4": Case(
        "import uuid\nop.execute(f\"INSERT INTO note VALUES (34, '{uuid.uuid4()}')\")",
        why="comes out different",
    ),
    "datetime.now": Case(
        "from datetime import datetime\n"
        "op.execute(f\"INSERT INTO note VALUES (35, '{datetime.now():%Y}')\")",
        why="comes out different",
    ),
    "date.today": Case(
        "import datetime as dt\nop.execute(f\"INSERT INTO note VALUES (36, '{dt.date.today()}')\")",
        why="comes out different",
    ),
    "time.strftime": Case(
        "import time\nop.execute(f\"INSERT INTO note VALUES (37, '{time.strftime('%Y-%m')}')\")",
        why="comes out different",
    ),
    "time.time": Case(
        "import time\nop.execute(f\"INSERT INTO note VALUES (38, '{time.time() // 10**6}')\")",
        why="comes out different",
    ),
    "random": Case(
        "import random\nop.execute(f\"INSERT INTO note VALUES (39, '{random.random()}')\")",
        why="comes out different",
    ),
    "the order of a set": Case(
        "op.execute(f\"INSERT INTO note VALUES (40, '{list({str(n) for n in range(50)})}')\"\n"
        "    .replace(\"['\", '').replace(\"']\", '').replace(\"'\", '')\n"
        "    .replace('(40, ', \"(40, '\").replace(')', \"')\"))",
        why="comes out different",
    ),
    "the driver's own connection": Case(
        "link = op.get_bind().connection\n"
        "cursor = link.cursor()\n"
        "cursor.execute(\"INSERT INTO note VALUES (41, 'raw')\")\n"
        "cursor.close()",
        why="uses the driver's own connection, {file} line 11",
    ),
}
