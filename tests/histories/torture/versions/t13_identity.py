"""Columns that number themselves."""

import sqlalchemy as sa
from alembic import op

revision = "t13"
down_revision = "t12"


def upgrade() -> None:
    op.create_table(
        "numbers",
        sa.Column("always", sa.BigInteger(), sa.Identity(always=True, start=100, increment=10)),
        sa.Column("name", sa.Text()),
    )
    op.create_table(
        "counters",
        sa.Column("id", sa.Integer(), sa.Identity(minvalue=1, cycle=True), primary_key=True),
        sa.Column("name", sa.Text()),
    )
    op.execute("INSERT INTO numbers (name) VALUES ('a'), ('b')")
    op.execute("INSERT INTO counters (name) VALUES ('a')")


def downgrade() -> None:
    op.drop_table("counters")
    op.drop_table("numbers")
