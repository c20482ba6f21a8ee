"""A view, which is no business of Alembic."""

from alembic import op

revision = "t21"
down_revision = "t20"


def upgrade() -> None:
    op.execute("CREATE VIEW adults (id, nick COMMENT 'short') AS SELECT id, nickname FROM people")
    op.execute("CREATE OR REPLACE VIEW adults AS SELECT id, nickname FROM people WHERE age >= 18")


def downgrade() -> None:
    op.execute("DROP VIEW adults")
