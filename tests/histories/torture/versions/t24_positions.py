"""Columns in another order, for which Alembic has no directive."""

from alembic import op

revision = "t24"
down_revision = "t23"


def upgrade() -> None:
    op.execute("ALTER TABLE people ALTER COLUMN mail AFTER nickname")
    op.execute("ALTER TABLE files ALTER COLUMN body FIRST")
    op.execute("ALTER TABLE files ADD COLUMN note STRING AFTER body")


def downgrade() -> None:
    op.drop_column("files", "note")
    op.execute("ALTER TABLE files ALTER COLUMN name FIRST")
    op.execute("ALTER TABLE people ALTER COLUMN mail AFTER team")
