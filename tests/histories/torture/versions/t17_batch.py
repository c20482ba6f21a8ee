"""A batch comes to plain ALTERs."""

import sqlalchemy as sa
from alembic import op

revision = "t17"
down_revision = "t16"


def upgrade() -> None:
    with op.batch_alter_table("visits") as batch:
        batch.add_column(sa.Column("minutes", sa.Integer(), server_default="30"))
        batch.alter_column("person", new_column_name="guest", existing_type=sa.BigInteger())
        batch.create_check_constraint("ck_visits_minutes", "minutes > 0")
        batch.create_index("ix_visits_guest", ["guest"])


def downgrade() -> None:
    with op.batch_alter_table("visits") as batch:
        batch.drop_index("ix_visits_guest")
        batch.drop_constraint("ck_visits_minutes", type_="check")
        batch.alter_column("guest", new_column_name="person", existing_type=sa.BigInteger())
        batch.drop_column("minutes")
    op.create_foreign_key("fk_visits_person", "visits", "people", ["person"], ["id"])
