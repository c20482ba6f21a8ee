"""Enum with and without a CHECK, JSON as text and as VARIANT."""

import sqlalchemy as sa
from alembic import op

from tests.histories.torture.models import variant

revision = "t11"
down_revision = "t10"


def upgrade() -> None:
    op.create_table(
        "tickets",
        sa.Column("state", sa.Enum("open", "shut", name="states")),
        sa.Column("kind", sa.Enum("a", "b", name="ck_tickets_kind", create_constraint=True)),
        sa.Column("extra", sa.JSON()),
        sa.Column("parsed", sa.JSON().with_variant(variant, "databricks")),
    )
    op.execute("INSERT INTO tickets (state, kind, extra) VALUES ('open', 'a', '{}')")


def downgrade() -> None:
    op.drop_table("tickets")
