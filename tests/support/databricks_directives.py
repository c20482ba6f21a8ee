"""Each directive of Alembic and what becomes of it on Databricks: the table of the reference.

``python -m tests.support.databricks_directives`` writes it into docs/reference/databricks.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from providers.databricks.ddl.skips import KINDS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "databricks.md"
COMMAND = "python -m tests.support.databricks_directives"

#: The tables that live calls find.
PREPARED = (
    "CREATE TABLE teams (id STRING NOT NULL, CONSTRAINT pk_teams PRIMARY KEY (id)) USING DELTA",
    (
        "CREATE TABLE people (id STRING NOT NULL, team_id STRING, nick STRING, age INT,"
        " CONSTRAINT pk_people PRIMARY KEY (id),"
        " CONSTRAINT fk_people_team FOREIGN KEY (team_id) REFERENCES teams (id)) USING DELTA"
    ),
    "ALTER TABLE people ADD CONSTRAINT ck_people_nick CHECK (nick <> '')",
    "CREATE TABLE visits (id STRING NOT NULL, person STRING) USING DELTA",
    "INSERT INTO people VALUES ('1', 't', 'ada', 36)",
)

MAPPING = "ALTER TABLE people SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')"
WIDENING = "ALTER TABLE people SET TBLPROPERTIES ('delta.enableTypeWidening' = 'true')"
DEFAULTS = (
    "ALTER TABLE people SET TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'supported')"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One call, and what it comes to."""

    call: str  #: Python, with the names op and sa
    sends: tuple[str, ...] = ()  #: statements, blanks as one space each
    skips: tuple[tuple[str, str], ...] = ()  #: kind, detail
    refusal: str = ""  #: its text; empty: it is not refused


ROWS = (
    Row(
        'op.create_table("rooms", sa.Column("id", sa.Uuid(), nullable=False),'
        ' sa.PrimaryKeyConstraint("id", name="pk_rooms"))',
        (
            (
                "CREATE TABLE rooms ( id STRING NOT NULL,"
                " CONSTRAINT pk_rooms PRIMARY KEY (id) ) USING DELTA"
            ),
        ),
    ),
    Row(
        'op.create_table("rooms", sa.Column("seats", sa.Integer(), server_default="5"),'
        ' sa.Column("size", sa.Float(), server_default="1.5"),'
        ' sa.Column("big", sa.Boolean(), server_default="f"), comment="where we sit")',
        (
            (
                "CREATE TABLE rooms ( seats INT DEFAULT 5, size DOUBLE DEFAULT 1.5,"
                " big BOOLEAN DEFAULT false ) USING DELTA"
                " COMMENT 'where we sit'"
                " TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'supported')"
            ),
        ),
    ),
    Row(
        'op.create_table("rooms", sa.Column("seats", sa.Integer(), comment="chairs"),'
        ' sa.CheckConstraint("seats > 0", name="ck_seats"))',
        (
            "CREATE TABLE rooms ( seats INT COMMENT 'chairs' ) USING DELTA",
            "ALTER TABLE rooms ADD CONSTRAINT ck_seats CHECK (seats > 0)",
        ),
    ),
    Row(
        'op.create_table("rooms", sa.Column("name", sa.String(50), unique=True))',
        ("CREATE TABLE rooms ( name STRING ) USING DELTA",),
        (
            (
                "unique",
                "a UNIQUE constraint on rooms has no counterpart; nothing keeps (name) unique",
            ),
        ),
    ),
    Row(
        'op.create_table("rooms", sa.Column("name", sa.String(50), index=True))',
        ("CREATE TABLE rooms ( name STRING ) USING DELTA",),
        (
            (
                "index",
                "ix_rooms_name on rooms has no counterpart; CLUSTER BY (name) is the usual choice",
            ),
        ),
    ),
    Row(
        'op.create_table("rooms", sa.Column("owner", sa.String(),'
        ' sa.ForeignKey("people.id", name="fk_owner", ondelete="CASCADE")))',
        (
            (
                "CREATE TABLE rooms ( owner STRING,"
                " CONSTRAINT fk_owner FOREIGN KEY(owner) REFERENCES people (id) ) USING DELTA"
            ),
        ),
        (
            (
                "foreign-key-action",
                "fk_owner on rooms loses ON DELETE CASCADE: foreign keys are informational",
            ),
        ),
    ),
    Row(
        'op.create_table("rooms", sa.Column("id", sa.Integer(), primary_key=True))',
        ("CREATE TABLE rooms ( id INT NOT NULL, PRIMARY KEY (id) ) USING DELTA",),
        (("autoincrement", "id on rooms is not numbered; every INSERT has to give one"),),
    ),
    Row(
        'op.create_table("rooms", sa.Column("state", sa.Enum("open", "shut", name="states")))',
        ("CREATE TABLE rooms ( state STRING ) USING DELTA",),
        (("enum", "state on rooms takes any text, not only open, shut"),),
    ),
    Row(
        'op.create_table("rooms", sa.Column("state",'
        ' sa.Enum("open", "shut", name="ck_states", create_constraint=True)))',
        (
            "CREATE TABLE rooms ( state STRING ) USING DELTA",
            "ALTER TABLE rooms ADD CONSTRAINT ck_states CHECK (state IN ('open', 'shut'))",
        ),
    ),
    Row(
        'op.create_table("rooms", sa.Column("extra", sa.JSON()))',
        refusal="create_table on rooms: (in table 'rooms', column 'extra'): type JSON has no "
        "counterpart; name one with .with_variant(..., 'databricks')",
    ),
    Row(
        'op.create_table("rooms", sa.Column("id", sa.BigInteger(), sa.Identity()))',
        refusal="create_table on rooms: (in table 'rooms', column 'id'): Identity() is not "
        "carried over; leave it out, or use op.execute",
    ),
    Row(
        'op.create_table("rooms", sa.Column("area", sa.Integer(), sa.Computed("2 * 3")))',
        refusal="create_table on rooms: (in table 'rooms', column 'area'): Computed() is not "
        "carried over; leave it out, or use op.execute",
    ),
    Row('op.drop_table("visits")', ("DROP TABLE visits",)),
    Row('op.rename_table("visits", "calls")', ("ALTER TABLE visits RENAME TO calls",)),
    Row(
        'op.create_table_comment("people", "everybody")',
        ("COMMENT ON TABLE people IS 'everybody'",),
    ),
    Row('op.drop_table_comment("people")', ("COMMENT ON TABLE people IS NULL",)),
    Row(
        'op.add_column("people", sa.Column("mail", sa.String(255), comment="it\'s for letters"))',
        ("ALTER TABLE people ADD COLUMN mail STRING COMMENT 'it\\'s for letters'",),
    ),
    Row(
        'op.add_column("people", sa.Column("kids", sa.Integer(), server_default="0",'
        " nullable=False))",
        (
            "ALTER TABLE people ADD COLUMN kids INT",
            DEFAULTS,
            "ALTER TABLE people ALTER COLUMN kids SET DEFAULT 0",
            "UPDATE people SET kids = 0 WHERE kids IS NULL",
            "ALTER TABLE people ALTER COLUMN kids SET NOT NULL",
        ),
    ),
    Row(
        'op.add_column("visits", sa.Column("day", sa.Date(), nullable=False))',
        (
            "ALTER TABLE visits ADD COLUMN day DATE",
            "ALTER TABLE visits ALTER COLUMN day SET NOT NULL",
        ),
    ),
    Row(
        'op.add_column("visits", sa.Column("host", sa.String(),'
        ' sa.ForeignKey("people.id", name="fk_host")))',
        (
            "ALTER TABLE visits ADD COLUMN host STRING",
            "ALTER TABLE visits ADD CONSTRAINT fk_host FOREIGN KEY(host) REFERENCES people (id)",
        ),
    ),
    Row(
        'op.add_column("people", sa.Column("mail", sa.String()), if_not_exists=True)',
        refusal="add_column on people: if_not_exists is not carried over; leave it out",
    ),
    Row('op.drop_column("people", "age")', (MAPPING, "ALTER TABLE people DROP COLUMN age")),
    Row(
        'op.drop_column("people", "mail", if_exists=True)',
        (MAPPING, "ALTER TABLE people DROP COLUMN IF EXISTS mail"),
    ),
    Row(
        'op.add_column("people", sa.Column("seen", sa.DateTime(timezone=True),'
        ' server_default=sa.text("CURRENT_TIMESTAMP")))',
        (
            "ALTER TABLE people ADD COLUMN seen TIMESTAMP",
            DEFAULTS,
            "ALTER TABLE people ALTER COLUMN seen SET DEFAULT CURRENT_TIMESTAMP",
            "UPDATE people SET seen = CURRENT_TIMESTAMP WHERE seen IS NULL",
        ),
    ),
    Row(
        'op.alter_column("people", "age", new_column_name="years")',
        (MAPPING, "ALTER TABLE people RENAME COLUMN age TO years"),
    ),
    Row(
        'op.alter_column("people", "age", nullable=False)',
        ("ALTER TABLE people ALTER COLUMN age SET NOT NULL",),
    ),
    Row(
        'op.alter_column("people", "age", nullable=True)',
        ("ALTER TABLE people ALTER COLUMN age DROP NOT NULL",),
    ),
    Row(
        'op.alter_column("people", "age", server_default="18", existing_type=sa.Integer())',
        (DEFAULTS, "ALTER TABLE people ALTER COLUMN age SET DEFAULT 18"),
    ),
    Row(
        'op.alter_column("people", "age", server_default=None)',
        ("ALTER TABLE people ALTER COLUMN age DROP DEFAULT",),
    ),
    Row(
        'op.alter_column("people", "age", type_=sa.BigInteger(), existing_type=sa.Integer())',
        (WIDENING, "ALTER TABLE people ALTER COLUMN age TYPE BIGINT"),
    ),
    Row(
        'op.alter_column("people", "nick", type_=sa.Text(), existing_type=sa.String(50))',
    ),
    Row(
        'op.alter_column("people", "age", type_=sa.SmallInteger(), existing_type=sa.Integer())',
        refusal="alter_column on people: age: INT does not widen to SMALLINT; add another column",
    ),
    Row(
        'op.alter_column("people", "age", type_=sa.BigInteger())',
        refusal="alter_column on people: age: existing_type is needed, to tell whether it widens",
    ),
    Row(
        'op.alter_column("people", "age", comment="in years")',
        ("ALTER TABLE people ALTER COLUMN age COMMENT 'in years'",),
    ),
    Row(
        'op.create_check_constraint("ck_age", "people", "age > 0")',
        ("ALTER TABLE people ADD CONSTRAINT ck_age CHECK (age > 0)",),
    ),
    Row(
        'op.create_check_constraint(None, "people", "age > 0")',
        refusal="create_check_constraint on people: a CHECK constraint needs a name",
    ),
    Row(
        'op.create_unique_constraint("uq_nick", "people", ["nick"])',
        skips=(("unique", "uq_nick on people has no counterpart; nothing keeps (nick) unique"),),
    ),
    Row(
        'op.create_primary_key("pk_visits", "visits", ["id"])',
        ("ALTER TABLE visits ADD CONSTRAINT pk_visits PRIMARY KEY (id)",),
    ),
    Row(
        'op.create_foreign_key("fk_person", "visits", "people", ["person"], ["id"],'
        ' ondelete="SET NULL")',
        ("ALTER TABLE visits ADD CONSTRAINT fk_person FOREIGN KEY(person) REFERENCES people (id)",),
        (
            (
                "foreign-key-action",
                "fk_person on visits loses ON DELETE SET NULL: foreign keys are informational",
            ),
        ),
    ),
    Row(
        'op.drop_constraint("ck_people_nick", "people", type_="check")',
        ("ALTER TABLE people DROP CONSTRAINT ck_people_nick",),
    ),
    Row(
        'op.drop_constraint("fk_people_team", "people", type_="foreignkey")',
        ("ALTER TABLE people DROP CONSTRAINT fk_people_team",),
    ),
    Row(
        'op.drop_constraint("uq_nick", "people", type_="unique")',
        skips=(("unique", "uq_nick on people was never created"),),
    ),
    Row(
        'op.drop_constraint("uq_nick", "people")',
        ("ALTER TABLE people DROP CONSTRAINT IF EXISTS uq_nick",),
    ),
    Row(
        'op.create_index("ix_nick", "people", ["nick"])',
        skips=(
            (
                "index",
                "ix_nick on people has no counterpart; CLUSTER BY (nick) is the usual choice",
            ),
        ),
    ),
    Row(
        'op.create_index("ix_nick", "people", ["nick"], unique=True)',
        skips=(
            (
                "unique",
                "ix_nick on people would be a unique index; nothing keeps (nick) unique",
            ),
        ),
    ),
    Row('op.drop_index("ix_nick")', skips=(("index", "ix_nick was never created"),)),
    Row(
        'with op.batch_alter_table("people", recreate="always") as batch: batch.drop_column("age")',
        refusal='batch_alter_table on people: recreate="always" would lose its history and '
        "grants; leave recreate out",
    ),
    Row(
        'op.bulk_insert(sa.table("visits", sa.column("id", sa.String())), [{"id": "1"}])',
        ("INSERT INTO visits (id) VALUES ('1')",),
    ),
    Row(
        'op.bulk_insert(sa.table("visits", sa.column("id", sa.LargeBinary())), [{"id": b"1"}])',
        refusal="bulk_insert on visits: the client cannot send bytes; "
        "use op.execute with unhex('...')",
    ),
    Row(
        'op.execute("CREATE VIEW adults AS SELECT * FROM people WHERE age >= 18")',
        ("CREATE VIEW adults AS SELECT * FROM people WHERE age >= 18",),
    ),
)

#: SQLAlchemy's type -> its name; a text in brackets is why there is none.
TYPES = {
    "Uuid()": "STRING",
    "UUID()": "STRING",
    "String(50)": "STRING",
    "Text()": "STRING",
    "Unicode(50)": "STRING",
    "CLOB()": "STRING",
    "NVARCHAR(50)": "STRING",
    "VARCHAR(50)": "VARCHAR(50)",
    "VARCHAR()": "STRING",
    'Enum("a", "b", name="e")': "STRING",
    "Time()": "STRING",
    "DateTime(timezone=True)": "TIMESTAMP",
    "TIMESTAMP(timezone=True)": "TIMESTAMP",
    "DateTime()": "TIMESTAMP_NTZ",
    "DATETIME()": "TIMESTAMP_NTZ",
    "Date()": "DATE",
    "SmallInteger()": "SMALLINT",
    "Integer()": "INT",
    "BigInteger()": "BIGINT",
    "Boolean()": "BOOLEAN",
    "Float()": "DOUBLE",
    "Float(24)": "FLOAT",
    "REAL()": "REAL",
    "Double()": "DOUBLE",
    "DOUBLE_PRECISION()": "DOUBLE",
    "Numeric(10, 2)": "DECIMAL(10,2)",
    "LargeBinary()": "BINARY",
    "BINARY(16)": "BINARY",
    "ARRAY(sa.Integer())": "ARRAY<INT>",
    "Numeric()": "(a NUMERIC without precision would be DECIMAL(10,0), which keeps no fraction; "
    "give precision and scale)",
    "Interval()": "(a table cannot hold an INTERVAL; keep seconds in a number)",
    "JSON()": "(type JSON has no counterpart; name one with .with_variant(..., 'databricks'))",
}


def tables() -> dict[str, list[str]]:
    """Return the name of each generated table -> its lines."""
    directives = ["| directive | on Databricks |", "|---|---|", *map(line, ROWS)]
    names = (f"| `sa.{type_}` | {name_in_table(name)} |" for type_, name in TYPES.items())
    kinds = (f"| `{kind}` | {lost} |" for kind, lost in KINDS.items())
    return {
        "skips": ["| kind | what is lost |", "|---|---|", *kinds],
        "directives": directives,
        "types": ["| type | on Databricks |", "|---|---|", *names],
    }


def line(row: Row) -> str:
    """Return one row as Markdown."""
    return f"| `{row.call}` | {'<br>'.join(outcomes(row)) or 'nothing: it is the same type'} |"


def outcomes(row: Row) -> Iterator[str]:
    """Yield what comes of a call."""
    yield from (f"`{statement}`" for statement in row.sends)
    yield from (f"*skipped* {kind}: {detail}" for kind, detail in row.skips)
    if row.refusal:
        yield f"**refused**: {row.refusal}"


def name_in_table(name: str) -> str:
    """Return a type's name as Markdown."""
    return f"**refused**: {name[1:-1]}" if name.startswith("(") else f"`{name}`"


def rewritten(page: str) -> str:
    """Return *page* with its tables as they should be."""
    for name, lines in tables().items():
        begin, end = f"<!-- begin {name}: {COMMAND} -->", f"<!-- end {name} -->"
        head, _, rest = page.partition(begin)
        _, _, tail = rest.partition(end)
        page = "\n".join([head + begin, *lines, end + tail])
    return page


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
