"""Bytes, which the client cannot send."""

import sqlalchemy as sa
from alembic import op

revision = "t12"
down_revision = "t11"


def upgrade() -> None:
    files = op.create_table(
        "files",
        sa.Column("name", sa.String(50), nullable=False),
        sa.Column("body", sa.LargeBinary()),
        sa.Column("digest", sa.BINARY(32)),
    )
    op.bulk_insert(
        files,
        [
            {"name": "zero", "body": b"\x00\xff'", "digest": None},
            {"name": "none", "body": None, "digest": b""},
        ],
    )


def downgrade() -> None:
    op.drop_table("files")
