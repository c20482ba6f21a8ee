"""A table with all that CREATE TABLE has a place for."""

import sqlalchemy as sa
from alembic import op

revision = "t01"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "people",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False, comment="by hand"),
        sa.Column("nick", sa.Text(), nullable=False, server_default="it's \\ 5 % of :all"),
        sa.Column("age", sa.Integer(), server_default="18"),
        sa.Column("rate", sa.Float(), server_default="1.5"),
        sa.Column("paid", sa.Numeric(10, 2), server_default="0"),
        sa.Column("is_in", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("born", sa.Date()),
        sa.Column("seen", sa.DateTime(timezone=True), server_default=sa.func.current_timestamp()),
        sa.PrimaryKeyConstraint("id", name="pk_people"),
        sa.CheckConstraint("age >= 0", name="ck_people_age"),
        sa.UniqueConstraint("nick", name="uq_people_nick"),
        comment="everybody",
    )
    op.bulk_insert(
        sa.table("people", sa.column("id", sa.BigInteger()), sa.column("nick", sa.Text())),
        [{"id": 1, "nick": "ada"}, {"id": 2, "nick": "bob"}],
    )


def downgrade() -> None:
    op.drop_table("people")
