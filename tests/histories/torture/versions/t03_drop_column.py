"""A column that goes; back, it has its default again."""

import sqlalchemy as sa
from alembic import op

revision = "t03"
down_revision = "t02"


def upgrade() -> None:
    op.drop_column("people", "rate")


def downgrade() -> None:
    op.add_column("people", sa.Column("rate", sa.Float(), server_default="1.5"))
