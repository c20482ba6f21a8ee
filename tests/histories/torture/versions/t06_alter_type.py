"""Types that widen; back, a column is made anew, for nothing narrows."""

import sqlalchemy as sa
from alembic import op

revision = "t06"
down_revision = "t05"


def upgrade() -> None:
    op.create_table(
        "sizes",
        sa.Column("small", sa.SmallInteger()),
        sa.Column("whole", sa.Integer()),
        sa.Column("single", sa.Float(24)),
        sa.Column("money", sa.Numeric(10, 2)),
        sa.Column("day", sa.Date()),
    )
    op.execute("INSERT INTO sizes VALUES (1, 2, 3.5, 4.25, DATE'2026-01-02')")
    op.alter_column("sizes", "small", type_=sa.Integer(), existing_type=sa.SmallInteger())
    op.alter_column("sizes", "whole", type_=sa.BigInteger(), existing_type=sa.Integer())
    op.alter_column("sizes", "single", type_=sa.Double(), existing_type=sa.Float(24))
    op.alter_column("sizes", "money", type_=sa.Numeric(14, 4), existing_type=sa.Numeric(10, 2))
    op.alter_column("sizes", "day", type_=sa.DateTime(), existing_type=sa.Date())
    op.alter_column(
        "sizes", "small", type_=sa.Numeric(12, 2), existing_type=sa.Integer(), comment="was small"
    )


def downgrade() -> None:
    op.drop_table("sizes")
