"""A column without NULL, in a table that has rows."""

import sqlalchemy as sa
from alembic import op

revision = "t05"
down_revision = "t04"


def upgrade() -> None:
    op.add_column(
        "people",
        sa.Column("team", sa.Text(), nullable=False, server_default="red", comment="colour"),
    )


def downgrade() -> None:
    op.drop_column("people", "team")
