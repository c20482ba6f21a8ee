"""Base class and mixins of the sample's models.

Only types and defaults that any SQLAlchemy dialect can render: a default is part of the
INSERT, not of the table, because not every database takes DEFAULT in its DDL.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID, uuid4

from sqlalchemy import DateTime, MetaData, Uuid, func
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column

#: Every constraint has a name that can be derived, so a downgrade can drop it anywhere.
NAMING_CONVENTION: Mapping[str, str] = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


class Base(DeclarativeBase):
    """Declarative base of all models."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=dict(NAMING_CONVENTION))


class UUIDPrimaryKeyMixin:
    """Adds `id`, a random UUID made by the client, so it is known before the INSERT."""

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4, sort_order=-1)


class TimestampMixin:
    """Adds `created_at` and `updated_at`, with zone, by the clock of the database."""

    created_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), default=func.now(), nullable=False, sort_order=1
    )
    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True),
        default=func.now(),
        onupdate=func.now(),
        nullable=False,
        sort_order=1,
    )


class VersionMixin:
    """Adds `version`, which counts up at each UPDATE: optimistic locking.

    An UPDATE or DELETE of a row that somebody else has changed since it was read
    raises `sqlalchemy.orm.exc.StaleDataError` at flush; read it again and decide.
    """

    version: Mapped[int] = mapped_column(nullable=False, sort_order=1)

    @declared_attr.directive
    @classmethod
    def __mapper_args__(cls) -> dict[str, Any]:
        """Name the counter to the mapper, which checks and advances it."""
        return {"version_id_col": cls.version}
