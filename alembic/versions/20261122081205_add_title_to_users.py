"""add title to users

Revision ID: d915e08b47a3
Revises: 8c40b6f21d7e
Create Date: 2026-11-22 08:12:05
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "d915e08b47a3"
down_revision: str | tuple[str, ...] | None = "8c40b6f21d7e"
branch_labels: str | tuple[str, ...] | None = None
depends_on: str | tuple[str, ...] | None = None


def upgrade() -> None:
    op.add_column("users", sa.Column("title", sa.String(length=255), nullable=True))


def downgrade() -> None:
    op.drop_column("users", "title")
