"""As `alembic init` writes it, but for the comparison of defaults, which it leaves off."""

from alembic import context
from sqlalchemy import engine_from_config, pool

from tests.histories.torture.models import metadata

connectable = engine_from_config(
    context.config.get_section(context.config.config_ini_section, {}),
    prefix="sqlalchemy.",
    poolclass=pool.NullPool,
)
with connectable.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()
