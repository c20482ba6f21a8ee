"""What a directive says besides, for Postgres alone: what becomes of it."""

from __future__ import annotations

from tests.support.databricks_rows.row import Row

_WIDENED = (
    "protocol",
    "people may ask for reader version 3 and writer version 7 from now on: typeWidening",
)
_WIDENS = (
    "ALTER TABLE people SET TBLPROPERTIES ('delta.enableTypeWidening' = 'true')",
    "ALTER TABLE people ALTER COLUMN age TYPE BIGINT",
)

ROWS = (
    Row(
        'op.create_table("rooms", sa.Column("day", sa.Date()), '
        'postgresql_partition_by="RANGE (day)")',
        "clustering",
        sends=("CREATE TABLE rooms ( day DATE ) USING DELTA",),
        skips=(("table-option", "rooms loses postgresql_partition_by"),),
    ),
    Row(
        'op.create_table("rooms", sa.Column("id", sa.Text()), postgresql_inherits="places")',
        "create",
        refusal="create_table on rooms: postgresql_inherits is not carried over; name all columns",
    ),
    Row(
        'op.create_table("rooms", sa.Column("name", sa.Text(collation="de_DE")))',
        "datatypes",
        sends=("CREATE TABLE rooms ( name STRING ) USING DELTA",),
        skips=(("collation", "name (de_DE) on rooms: compared byte by byte"),),
    ),
    Row(
        'op.create_table("rooms", sa.Column("seats", sa.ARRAY(sa.Integer(), dimensions=2), '
        'server_default="{}"))',
        "datatypes",
        sends=(
            (
                "CREATE TABLE rooms ( seats ARRAY<ARRAY<INT>> DEFAULT array() ) USING DELTA "
                "TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'supported')"
            ),
        ),
        notes=(
            ("protocol", "rooms may ask for writer version 7 from now on: allowColumnDefaults"),
        ),
    ),
    Row(
        'op.create_table("rooms", sa.Column("logo", sa.LargeBinary(), server_default="x"))',
        "defaults",
        refusal="create_table on rooms: (in table 'rooms', column 'logo'): the default 'x' is no "
        "BINARY; sa.text() takes an expression",
    ),
    Row(
        'op.create_table("rooms", sa.Column("id", sa.Text(), nullable=True), '
        'sa.PrimaryKeyConstraint("id", name="pk_rooms"))',
        "create",
        sends=(
            (
                "CREATE TABLE rooms ( id STRING NOT NULL, CONSTRAINT pk_rooms PRIMARY KEY (id) ) "
                "USING DELTA"
            ),
        ),
    ),
    Row(
        'op.alter_column("people", "age", type_=sa.BigInteger(), existing_type=sa.Integer(), '
        'server_default="5000000000")',
        "widening",
        sends=(
            *_WIDENS,
            (
                "ALTER TABLE people SET TBLPROPERTIES "
                "('delta.feature.allowColumnDefaults' = 'supported')"
            ),
            "ALTER TABLE people ALTER COLUMN age SET DEFAULT 5000000000",
        ),
        notes=(
            _WIDENED,
            ("protocol", "people may ask for writer version 7 from now on: allowColumnDefaults"),
        ),
    ),
    Row(
        'op.alter_column("people", "age", type_=sa.BigInteger(), existing_type=sa.Integer(), '
        'postgresql_using="age::bigint")',
        "widening",
        sends=_WIDENS,
        notes=(_WIDENED,),
    ),
    Row(
        'op.alter_column("people", "age", type_=sa.BigInteger(), existing_type=sa.Integer(), '
        'postgresql_using="age * 1000")',
        "widening",
        refusal="alter_column on people: age: postgresql_using='age * 1000' is not carried over; "
        "add another column, fill it",
    ),
    Row(
        'op.create_table("rooms", sa.Column("made", sa.DateTime(), server_default="now()"))',
        "defaults",
        refusal="create_table on rooms: (in table 'rooms', column 'made'): the default 'now()' is "
        "no TIMESTAMP_NTZ; sa.text() takes an expression",
    ),
    Row(
        'op.create_table("rooms", sa.Column("id", sa.Uuid(), '
        'server_default=sa.text("gen_random_uuid()")))',
        "defaults",
        refusal="create_table on rooms: (in table 'rooms', column 'id'): gen_random_uuid( in "
        "gen_random_uuid(): there is no such function",
    ),
    Row(
        """op.create_check_constraint("ck_nick", "people", "nick ~ '^a'")""",
        "constraint",
        refusal="create_check_constraint on people: ~ in nick ~ '^a': there is no such operator; "
        "rlike is the usual choice",
    ),
    Row(
        """op.create_check_constraint("ck_nick", "people", '"nick" <> \\'\\'')""",
        "constraint",
        refusal='create_check_constraint on people: " in "nick" <> \'\': double quotes are around '
        "texts here; name a column by sa.column(), or bare",
    ),
    Row(
        'op.create_table("rooms", '
        'sa.Column("states", sa.ARRAY(sa.Enum("open", "shut", name="e"))), '
        'sa.Column("keys", dbx.DatabricksMap(sa.Text(), sa.Uuid())))',
        "datatypes",
        sends=("CREATE TABLE rooms ( states ARRAY<STRING>, keys MAP<STRING,STRING> ) USING DELTA",),
        skips=(
            ("enum", "states on rooms takes any text, not only open, shut"),
            ("type", "keys (UUID) on rooms: kept as STRING, which takes any text"),
        ),
    ),
    Row(
        'op.execute(sa.update(sa.table("files", sa.column("body", sa.LargeBinary()))).values('
        'body=b"\\x00\\xff"))',
        "insert",
        sends=("UPDATE files SET body=unhex('00ff')",),
    ),
)
