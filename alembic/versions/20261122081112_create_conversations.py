"""create conversations

Revision ID: 8c40b6f21d7e
Revises: 3a7d52c1e9f4
Create Date: 2026-11-22 08:11:12
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "8c40b6f21d7e"
down_revision: str | tuple[str, ...] | None = "3a7d52c1e9f4"
branch_labels: str | tuple[str, ...] | None = None
depends_on: str | tuple[str, ...] | None = None


def upgrade() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_conversations_user_id_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
    )


def downgrade() -> None:
    op.drop_table("conversations")
