"""Constraints, indexes, rows and SQL: what becomes of directives about them."""

from __future__ import annotations

from tests.support.databricks_rows.row import Row

ROWS = (
    Row(
        'op.create_check_constraint("ck_age", "people", "age > 0")',
        "constraint",
        sends=("ALTER TABLE people ADD CONSTRAINT ck_age CHECK ((age > 0) IS NOT FALSE)",),
        notes=(("protocol", "people may ask for writer version 3 from now on: checkConstraints"),),
    ),
    Row(
        'op.create_check_constraint(None, "people", "age > 0")',
        "constraint",
        refusal="create_check_constraint on people: a CHECK constraint needs a name; a "
        "naming_convention can give it one",
    ),
    Row(
        'op.create_unique_constraint("uq_nick", "people", ["nick"])',
        "constraints",
        skips=(("unique", "uq_nick on people has no counterpart; nothing keeps (nick) unique"),),
    ),
    Row(
        'op.create_exclude_constraint("ex_nick", "people", ("nick", "="))',
        "constraints",
        skips=(("exclude", "ex_nick on people has no counterpart; rows may overlap"),),
    ),
    Row(
        'op.create_primary_key("pk_visits", "visits", ["id"])',
        "constraint",
        sends=(
            "ALTER TABLE visits ALTER COLUMN id SET NOT NULL",
            "ALTER TABLE visits ADD CONSTRAINT pk_visits PRIMARY KEY (id)",
        ),
    ),
    Row(
        (
            'op.create_foreign_key("fk_person", "visits", "people", ["person"], '
            '["id"], ondelete="SET NULL")'
        ),
        "constraint",
        sends=(
            (
                "ALTER TABLE visits ADD CONSTRAINT fk_person FOREIGN KEY(person) "
                "REFERENCES people (id)"
            ),
        ),
        skips=(
            (
                "foreign-key-action",
                "fk_person on visits loses ON DELETE SET NULL: foreign keys are informational",
            ),
        ),
    ),
    Row(
        'op.drop_constraint("ck_people_nick", "people", type_="check")',
        "drop-constraint",
        sends=("ALTER TABLE people DROP CONSTRAINT ck_people_nick",),
    ),
    Row(
        'op.drop_constraint("fk_people_team", "people", type_="foreignkey")',
        "drop-constraint",
        sends=("ALTER TABLE people DROP CONSTRAINT fk_people_team",),
    ),
    Row(
        'op.drop_constraint("pk_people", "people", type_="primary", if_exists=True)',
        "drop-constraint",
        sends=("ALTER TABLE people DROP CONSTRAINT IF EXISTS pk_people",),
    ),
    Row(
        'op.drop_constraint("uq_nick", "people", type_="unique")',
        "constraints",
        skips=(("unique", "uq_nick on people was never created"),),
    ),
    Row(
        'op.drop_constraint("uq_nick", "people")',
        "drop-constraint",
        sends=("ALTER TABLE people DROP CONSTRAINT IF EXISTS uq_nick",),
    ),
    Row(
        'op.create_index("ix_nick", "people", ["nick"])',
        "clustering",
        skips=(
            (
                "index",
                "ix_nick on people has no counterpart; CLUSTER BY (nick) is the usual choice",
            ),
        ),
    ),
    Row(
        'op.create_index("ix_nick", "people", [sa.text("lower(nick)")], if_not_exists=True)',
        "clustering",
        skips=(
            (
                "index",
                (
                    "ix_nick on people has no counterpart; CLUSTER BY "
                    "(lower(nick)) is the usual choice"
                ),
            ),
        ),
    ),
    Row(
        'op.create_index("ix_nick", "people", ["nick"], unique=True)',
        "constraints",
        skips=(
            ("unique", "ix_nick on people would be a unique index; nothing keeps (nick) unique"),
        ),
    ),
    Row(
        'op.drop_index("ix_nick")',
        "clustering",
        skips=(("index", "ix_nick was never created"),),
    ),
    Row(
        'op.bulk_insert(sa.table("visits", sa.column("id", sa.String())), [{"id": "1"}])',
        "insert",
        sends=("INSERT INTO visits (id) VALUES ('1')",),
    ),
    Row(
        (
            'op.bulk_insert(sa.table("files", sa.column("id", sa.String()), '
            'sa.column("body", sa.LargeBinary())), [{"id": "1", "body": '
            'b"\\x00\\xff"}])'
        ),
        "insert",
        sends=("INSERT INTO files (id, body) VALUES ('1', unhex('00ff'))",),
    ),
    Row(
        'op.execute("CREATE VIEW adults AS SELECT * FROM people WHERE age >= 18")',
        "view",
        sends=("CREATE VIEW adults AS SELECT * FROM people WHERE age >= 18",),
    ),
    Row(
        'op.execute(sa.schema.CreateSequence(sa.Sequence("ids")))',
        "create",
        refusal="execute on ids: ids: there are no sequences; use sa.Identity()",
    ),
)
