"""Columns: what becomes of directives about them."""

from __future__ import annotations

from tests.support.databricks_rows.row import Row

ROWS = (
    Row(
        'op.add_column("people", sa.Column("mail", sa.Text(), comment="it\'s for letters"))',
        "column",
        sends=("ALTER TABLE people ADD COLUMN mail STRING COMMENT 'it\\'s for letters'",),
    ),
    Row(
        'op.add_column("people", sa.Column("token", sa.Uuid()))',
        "column",
        sends=("ALTER TABLE people ADD COLUMN token STRING",),
        skips=(("type", "token (UUID) on people: kept as STRING, which takes any text"),),
    ),
    Row(
        (
            'op.add_column("people", sa.Column("kids", sa.Integer(), '
            'server_default="0", nullable=False))'
        ),
        "defaults",
        sends=(
            "ALTER TABLE people ADD COLUMN kids INT",
            (
                "ALTER TABLE people SET TBLPROPERTIES "
                "('delta.feature.allowColumnDefaults' = 'supported')"
            ),
            "ALTER TABLE people ALTER COLUMN kids SET DEFAULT 0",
            "UPDATE people SET kids = 0 WHERE kids IS NULL",
            "ALTER TABLE people ALTER COLUMN kids SET NOT NULL",
        ),
        notes=(
            ("protocol", "people may ask for writer version 7 from now on: allowColumnDefaults"),
        ),
    ),
    Row(
        'op.add_column("visits", sa.Column("day", sa.Date(), nullable=False))',
        "column",
        sends=(
            "ALTER TABLE visits ADD COLUMN day DATE",
            "ALTER TABLE visits ALTER COLUMN day SET NOT NULL",
        ),
    ),
    Row(
        'op.add_column("people", sa.Column("born", sa.DateTime()))',
        "timestamp-ntz",
        sends=(
            "ALTER TABLE people SET TBLPROPERTIES ('delta.feature.timestampNtz' = 'supported')",
            "ALTER TABLE people ADD COLUMN born TIMESTAMP_NTZ",
        ),
        notes=(
            (
                "protocol",
                (
                    "people may ask for reader version 3 and writer version 7 from now on: "
                    "timestampNtz"
                ),
            ),
        ),
    ),
    Row(
        (
            'op.add_column("people", sa.Column("extra", '
            'sa.JSON().with_variant(dbx.DatabricksVariant(), "databricks")))'
        ),
        "datatypes",
        sends=("ALTER TABLE people ADD COLUMN extra VARIANT",),
        notes=(
            (
                "protocol",
                (
                    "people may ask for reader version 3 and writer version 7 from now on: "
                    "variantType"
                ),
            ),
        ),
    ),
    Row(
        (
            'op.add_column("people", sa.Column("seen", sa.DateTime(timezone=True), '
            'server_default=sa.text("CURRENT_TIMESTAMP")))'
        ),
        "defaults",
        sends=(
            "ALTER TABLE people ADD COLUMN seen TIMESTAMP",
            (
                "ALTER TABLE people SET TBLPROPERTIES "
                "('delta.feature.allowColumnDefaults' = 'supported')"
            ),
            "ALTER TABLE people ALTER COLUMN seen SET DEFAULT CURRENT_TIMESTAMP",
            "UPDATE people SET seen = CURRENT_TIMESTAMP WHERE seen IS NULL",
        ),
        notes=(
            ("protocol", "people may ask for writer version 7 from now on: allowColumnDefaults"),
        ),
    ),
    Row(
        (
            'op.add_column("visits", sa.Column("host", sa.Text(), '
            'sa.ForeignKey("people.id", name="fk_host")))'
        ),
        "constraint",
        sends=(
            "ALTER TABLE visits ADD COLUMN host STRING",
            "ALTER TABLE visits ADD CONSTRAINT fk_host FOREIGN KEY(host) REFERENCES people (id)",
        ),
    ),
    Row(
        (
            'op.add_column("visits", sa.Column("host", sa.Text(), '
            'sa.ForeignKey("people.id", name="fk_host", ondelete="CASCADE")), '
            "inline_references=True)"
        ),
        "constraint",
        sends=(
            "ALTER TABLE visits ADD COLUMN host STRING",
            "ALTER TABLE visits ADD CONSTRAINT fk_host FOREIGN KEY(host) REFERENCES people (id)",
        ),
        skips=(
            (
                "foreign-key-action",
                "fk_host on visits loses ON DELETE CASCADE: foreign keys are informational",
            ),
        ),
    ),
    Row(
        'op.add_column("people", sa.Column("full name", sa.Text()))',
        "mapping",
        sends=(
            "ALTER TABLE people SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')",
            "ALTER TABLE people ADD COLUMN `full name` STRING",
        ),
        notes=(
            (
                "protocol",
                (
                    "people may ask for reader version 2 and writer version 5 from "
                    "now on: columnMapping"
                ),
            ),
        ),
    ),
    Row(
        'op.add_column("people", sa.Column("mail", sa.Text()), if_not_exists=True)',
        "column",
        refusal=(
            "add_column on people: if_not_exists is not carried over; ADD "
            "COLUMN has no such form, so look at sa.inspect(op.get_bind()) "
            "first"
        ),
    ),
    Row(
        'op.add_column("people", sa.Column("number", sa.BigInteger(), sa.Identity()))',
        "column",
        refusal=(
            "add_column on people: only CREATE TABLE makes a generated column; "
            "add a plain one, and fill it"
        ),
    ),
    Row(
        'op.add_column("people", sa.Column("half", sa.Integer(), sa.Computed("age / 2")))',
        "generated",
        refusal=(
            "add_column on people: only CREATE TABLE makes a generated column; "
            "add a plain one, and fill it"
        ),
    ),
    Row(
        'op.drop_column("people", "age")',
        "mapping",
        sends=(
            "ALTER TABLE people SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')",
            "ALTER TABLE people DROP COLUMN age",
        ),
        notes=(
            (
                "protocol",
                (
                    "people may ask for reader version 2 and writer version 5 from "
                    "now on: columnMapping"
                ),
            ),
        ),
    ),
    Row(
        'op.drop_column("people", "mail", if_exists=True)',
        "mapping",
        sends=(
            "ALTER TABLE people SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')",
            "ALTER TABLE people DROP COLUMN IF EXISTS mail",
        ),
        notes=(
            (
                "protocol",
                (
                    "people may ask for reader version 2 and writer version 5 from "
                    "now on: columnMapping"
                ),
            ),
        ),
    ),
    Row(
        'op.alter_column("people", "age", new_column_name="years")',
        "mapping",
        sends=(
            "ALTER TABLE people SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')",
            "ALTER TABLE people RENAME COLUMN age TO years",
        ),
        notes=(
            (
                "protocol",
                (
                    "people may ask for reader version 2 and writer version 5 from "
                    "now on: columnMapping"
                ),
            ),
        ),
    ),
    Row(
        'op.alter_column("people", "age", nullable=False)',
        "column",
        sends=("ALTER TABLE people ALTER COLUMN age SET NOT NULL",),
    ),
    Row(
        'op.alter_column("people", "age", nullable=True)',
        "column",
        sends=("ALTER TABLE people ALTER COLUMN age DROP NOT NULL",),
    ),
    Row(
        'op.alter_column("people", "age", server_default="18", existing_type=sa.Integer())',
        "defaults",
        sends=(
            (
                "ALTER TABLE people SET TBLPROPERTIES "
                "('delta.feature.allowColumnDefaults' = 'supported')"
            ),
            "ALTER TABLE people ALTER COLUMN age SET DEFAULT 18",
        ),
        notes=(
            ("protocol", "people may ask for writer version 7 from now on: allowColumnDefaults"),
        ),
    ),
    Row(
        'op.alter_column("people", "age", server_default=None)',
        "defaults",
        sends=("ALTER TABLE people ALTER COLUMN age DROP DEFAULT",),
    ),
    Row(
        'op.alter_column("people", "age", type_=sa.BigInteger(), existing_type=sa.Integer())',
        "widening",
        sends=(
            "ALTER TABLE people SET TBLPROPERTIES ('delta.enableTypeWidening' = 'true')",
            "ALTER TABLE people ALTER COLUMN age TYPE BIGINT",
        ),
        notes=(
            (
                "protocol",
                (
                    "people may ask for reader version 3 and writer version 7 from "
                    "now on: typeWidening"
                ),
            ),
        ),
    ),
    Row(
        'op.alter_column("people", "nick", type_=sa.String(99), existing_type=sa.String(50))',
        "widening",
        skips=(("length", "nick (99) on people: nothing holds values to that length"),),
    ),
    Row(
        'op.alter_column("people", "age", type_=sa.SmallInteger(), existing_type=sa.Integer())',
        "widening",
        refusal="alter_column on people: age: INT does not widen to SMALLINT; add another column",
    ),
    Row(
        'op.alter_column("people", "age", type_=sa.BigInteger())',
        "widening",
        refusal="alter_column on people: age: existing_type is needed, to tell whether it widens",
    ),
    Row(
        (
            'op.alter_column("people", "age", server_default=sa.Identity(), '
            "existing_type=sa.BigInteger())"
        ),
        "create",
        refusal="alter_column on people: age: a column cannot become generated, nor cease to be",
    ),
    Row(
        'op.alter_column("people", "age", comment="in years")',
        "column",
        sends=("ALTER TABLE people ALTER COLUMN age COMMENT 'in years'",),
    ),
    Row(
        'op.alter_column("people", "age", comment=None)',
        "column",
        sends=("ALTER TABLE people ALTER COLUMN age COMMENT ''",),
    ),
    Row(
        (
            'with op.batch_alter_table("people") as batch: '
            'batch.alter_column("age", new_column_name="years")'
        ),
        "mapping",
        sends=(
            "ALTER TABLE people SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')",
            "ALTER TABLE people RENAME COLUMN age TO years",
        ),
        notes=(
            (
                "protocol",
                (
                    "people may ask for reader version 2 and writer version 5 from "
                    "now on: columnMapping"
                ),
            ),
        ),
    ),
    Row(
        (
            'with op.batch_alter_table("people", recreate="always") as batch: '
            'batch.drop_column("age")'
        ),
        "alter",
        refusal=(
            'batch_alter_table on people: recreate="always" would lose its '
            "history and grants; leave recreate out"
        ),
    ),
)
