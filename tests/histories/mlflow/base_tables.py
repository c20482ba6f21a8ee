"""The hook that the first revision needs: it alters tables that no revision creates."""

from __future__ import annotations

from alembic.config import Config
from mlflow.store.tracking.dbmodels.initial_models import (  # type: ignore[import-not-found]  # in the history's own environment
    Base,
)
from sqlalchemy import create_engine, inspect
from sqlalchemy.pool import NullPool


def create(config: Config) -> None:
    """Create the tables in an empty database; where Alembic has been at work, leave it alone."""
    url = config.get_main_option("sqlalchemy.url")
    if url is None:  # only the graph of revisions is asked for
        return
    with create_engine(url, poolclass=NullPool).begin() as connection:
        if not inspect(connection).has_table("alembic_version"):
            Base.metadata.create_all(connection)
