"""Comments of columns: set, replaced and taken away."""

import sqlalchemy as sa
from alembic import op

revision = "t07"
down_revision = "t06"


def upgrade() -> None:
    op.alter_column("people", "age", comment="in years", existing_type=sa.Integer())
    op.alter_column("people", "team", comment="it's a colour", existing_type=sa.Text())
    op.alter_column("people", "id", comment=None, existing_type=sa.BigInteger())


def downgrade() -> None:
    op.alter_column("people", "id", comment="by hand", existing_type=sa.BigInteger())
    op.alter_column("people", "team", comment="colour", existing_type=sa.Text())
    op.alter_column("people", "age", comment=None, existing_type=sa.Integer())
