"""Types of other databases."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "t15"
down_revision = "t14"


def upgrade() -> None:
    op.create_table(
        "types",
        sa.Column("uuid", sa.Uuid()),
        sa.Column("other_uuid", sa.UUID()),
        sa.Column("clob", sa.CLOB()),
        sa.Column("nvarchar", sa.NVARCHAR(50)),
        sa.Column("sized", sa.VARCHAR(50)),
        sa.Column("fixed", sa.CHAR(3)),
        sa.Column("unicode", sa.Unicode(9)),
        sa.Column("datetime", sa.DATETIME()),
        sa.Column("zoned", sa.TIMESTAMP(timezone=True)),
        sa.Column("time", sa.Time()),
        sa.Column("double", sa.DOUBLE_PRECISION()),
        sa.Column("real", sa.REAL()),
        sa.Column("jsonb", postgresql.JSONB()),
        sa.Column("inet", postgresql.INET()),
        sa.Column("bytea", postgresql.BYTEA()),
    )


def downgrade() -> None:
    op.drop_table("types")
