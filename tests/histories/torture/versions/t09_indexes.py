"""Indexes have no counterpart; a table is clustered instead."""

import sqlalchemy as sa
from alembic import op

revision = "t09"
down_revision = "t08"


def upgrade() -> None:
    op.add_column("people", sa.Column("mail", sa.Text(), index=True, unique=True))
    op.create_index("ix_people_team", "people", ["team"])
    op.create_index("ix_people_lower", "people", [sa.text("lower(nickname)")], if_not_exists=True)
    op.create_table(
        "clicks", sa.Column("at", sa.DateTime(), index=True), sa.Column("who", sa.Text())
    )
    op.execute("ALTER TABLE clicks CLUSTER BY (at)")


def downgrade() -> None:
    op.drop_table("clicks")
    op.drop_index("ix_people_lower", "people", if_exists=True)
    op.drop_index("ix_people_team", "people")
    op.drop_column("people", "mail")
