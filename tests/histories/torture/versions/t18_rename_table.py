"""A table with another name, and another one in its place."""

import sqlalchemy as sa
from alembic import op

revision = "t18"
down_revision = "t17"


def upgrade() -> None:
    op.rename_table("clicks", "events")
    op.create_table("clicks", sa.Column("id", sa.Text()))


def downgrade() -> None:
    op.drop_table("clicks")
    op.rename_table("events", "clicks")
