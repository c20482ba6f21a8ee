"""Columns that come of others."""

import sqlalchemy as sa
from alembic import op

revision = "t14"
down_revision = "t13"


def upgrade() -> None:
    op.create_table(
        "areas",
        sa.Column("side", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("area", sa.Integer(), sa.Computed("side * side")),
        sa.Column("label", sa.Text(), sa.Computed("upper(name)", persisted=True), comment="loud"),
        sa.Column("half", sa.Numeric(10, 2), sa.Computed("side / 2")),
    )
    op.execute("INSERT INTO areas (side, name) VALUES (3, 'a')")
    op.execute("UPDATE areas SET side = 4")


def downgrade() -> None:
    op.drop_table("areas")
