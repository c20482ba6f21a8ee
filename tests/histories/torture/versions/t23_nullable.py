"""NOT NULL comes and goes."""

import sqlalchemy as sa
from alembic import op

revision = "t23"
down_revision = "t22"


def upgrade() -> None:
    op.alter_column("areas", "name", nullable=False, existing_type=sa.Text())
    op.alter_column("files", "name", nullable=True, existing_type=sa.String(50))


def downgrade() -> None:
    op.alter_column("files", "name", nullable=False, existing_type=sa.String(50))
    op.alter_column("areas", "name", nullable=True, existing_type=sa.Text())
