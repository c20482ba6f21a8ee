"""Statements about rows."""

import sqlalchemy as sa
from alembic import op

revision = "t26"
down_revision = "t25"


def upgrade() -> None:
    op.execute("INSERT INTO once SELECT CAST(id AS INT) FROM people WHERE id < 2")
    op.execute(sa.text("UPDATE people SET team = :team WHERE id = 2").bindparams(team="blue"))
    op.execute(sa.table("once", sa.column("id")).delete())
    op.execute(
        "MERGE INTO once USING (SELECT 7 AS id) AS new ON once.id = new.id"
        " WHEN NOT MATCHED THEN INSERT (id) VALUES (new.id)"
    )


def downgrade() -> None:
    op.execute("DELETE FROM once")
    op.execute("UPDATE people SET team = 'red'")
