"""A column with another name."""

import sqlalchemy as sa
from alembic import op

revision = "t02"
down_revision = "t01"


def upgrade() -> None:
    op.alter_column("people", "nick", new_column_name="nickname", existing_type=sa.Text())


def downgrade() -> None:
    op.alter_column("people", "nickname", new_column_name="nick", existing_type=sa.Text())
