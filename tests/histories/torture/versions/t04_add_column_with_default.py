"""A column with a default, for the rows that are there too."""

import sqlalchemy as sa
from alembic import op

revision = "t04"
down_revision = "t03"


def upgrade() -> None:
    op.add_column("people", sa.Column("kids", sa.Integer(), server_default="0"))
    op.add_column("people", sa.Column("joined", sa.DateTime(), server_default=sa.text("now()")))


def downgrade() -> None:
    op.drop_column("people", "joined")
    op.drop_column("people", "kids")
