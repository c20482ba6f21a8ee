"""Directives that do nothing where there is nothing to do."""

import sqlalchemy as sa
from alembic import op

revision = "t25"
down_revision = "t24"


def upgrade() -> None:
    op.create_table("people", sa.Column("id", sa.Integer()), if_not_exists=True)
    op.create_table("once", sa.Column("id", sa.Integer()), if_not_exists=True)
    op.drop_table("never", if_exists=True)
    op.drop_column("once", "never", if_exists=True)
    op.drop_constraint("never", "once", if_exists=True)
    op.drop_index("ix_never", if_exists=True)


def downgrade() -> None:
    op.drop_table("once", if_exists=True)
