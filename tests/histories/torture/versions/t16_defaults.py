"""Defaults: set, replaced, dropped."""

import sqlalchemy as sa
from alembic import op

revision = "t16"
down_revision = "t15"


def upgrade() -> None:
    op.alter_column("people", "age", server_default=None, existing_type=sa.Integer())
    op.alter_column("people", "paid", server_default="9.99", existing_type=sa.Numeric(10, 2))
    op.alter_column("people", "is_in", server_default="false", existing_type=sa.Boolean())
    op.alter_column(
        "people", "born", server_default=sa.text("current_date()"), existing_type=sa.Date()
    )


def downgrade() -> None:
    op.alter_column("people", "born", server_default=None, existing_type=sa.Date())
    op.alter_column("people", "is_in", server_default=sa.true(), existing_type=sa.Boolean())
    op.alter_column("people", "paid", server_default="0", existing_type=sa.Numeric(10, 2))
    op.alter_column("people", "age", server_default="18", existing_type=sa.Integer())
