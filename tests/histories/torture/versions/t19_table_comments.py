"""Comments of tables: set, replaced and taken away."""

from alembic import op

revision = "t19"
down_revision = "t18"


def upgrade() -> None:
    op.create_table_comment("visits", "who came")
    op.create_table_comment("people", "it's everybody", existing_comment="everybody")
    op.create_table_comment("sizes", "for nothing")
    op.drop_table_comment("sizes", existing_comment="for nothing")


def downgrade() -> None:
    op.create_table_comment("people", "everybody", existing_comment="it's everybody")
    op.drop_table_comment("visits", existing_comment="who came")
