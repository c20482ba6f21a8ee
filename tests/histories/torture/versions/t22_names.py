"""Words of SQL, dots, blanks and backticks in names."""

import sqlalchemy as sa
from alembic import op

revision = "t22"
down_revision = "t21"


def upgrade() -> None:
    op.create_table(
        "order",
        sa.Column("select", sa.Integer(), server_default="1"),
        sa.Column("a.b", sa.Text(), comment="`c`"),
        sa.Column("tick`s", sa.Text()),
        sa.Column("full name", sa.Text()),
        sa.CheckConstraint("`full name` <> ''", name="ck_order"),
        comment="`order`",
    )
    op.add_column("order", sa.Column("with (brackets)", sa.Text(), server_default="x"))
    op.alter_column("order", "tick`s", new_column_name="from", existing_type=sa.Text())
    op.alter_column("order", "a.b", nullable=False, existing_type=sa.Text())
    op.execute("INSERT INTO `order` (`a.b`, `full name`) VALUES ('dot', 'x y')")
    op.create_table("with-hyphen", sa.Column("größe", sa.Integer()))


def downgrade() -> None:
    op.drop_table("with-hyphen")
    op.drop_column("order", "with (brackets)")
    op.drop_table("order")
