"""Foreign keys are informational: what would act on rows is left out."""

import sqlalchemy as sa
from alembic import op

revision = "t10"
down_revision = "t09"


def upgrade() -> None:
    op.create_table(
        "visits",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("person", sa.BigInteger(), nullable=False),
        sa.Column("parent", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_visits"),
        sa.ForeignKeyConstraint(
            ["person"],
            ["people.id"],
            name="fk_visits_person",
            ondelete="CASCADE",
            onupdate="CASCADE",
        ),
    )
    op.create_foreign_key(
        "fk_visits_parent", "visits", "visits", ["parent"], ["id"], deferrable=True
    )
    op.add_column(
        "visits",
        sa.Column("host", sa.BigInteger(), sa.ForeignKey("people.id", name="fk_visits_host")),
        inline_references=True,
    )
    op.create_table(
        "stays", sa.Column("room", sa.Text(), nullable=False), sa.Column("day", sa.Date())
    )
    op.alter_column("stays", "day", nullable=False, existing_type=sa.Date())
    op.create_primary_key("pk_stays", "stays", ["room", "day"])


def downgrade() -> None:
    op.drop_constraint("pk_stays", "stays", type_="primary")
    op.drop_table("stays")
    op.drop_constraint("fk_visits_host", "visits", type_="foreignkey")
    op.drop_column("visits", "host")
    op.drop_constraint("fk_visits_parent", "visits", type_="foreignkey")
    op.drop_table("visits")
