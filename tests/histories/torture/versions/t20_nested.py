"""Arrays, maps and structs."""

import sqlalchemy as sa
from alembic import op

from tests.histories.torture.models import matrix, prices

revision = "t20"
down_revision = "t19"


def upgrade() -> None:
    op.create_table(
        "nested",
        sa.Column("tags", sa.ARRAY(sa.Text())),
        sa.Column("matrix", matrix),
        sa.Column("prices", prices),
    )
    op.execute("ALTER TABLE nested ADD COLUMN place STRUCT<street: STRING, number: INT>")
    op.execute(
        "INSERT INTO nested VALUES (array('a', 'b'), array(array(1)), map('x', 1.50),"
        " named_struct('street', 'Main', 'number', 5))"
    )


def downgrade() -> None:
    op.drop_table("nested")
