"""Small Alembic histories, written from bodies of Python."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent

INI = """\
[alembic]
script_location = %(here)s/migrations
prepend_sys_path = .
"""

#: What `alembic init` writes, without its comments.
SYNC_ENV = """\
from alembic import context
from sqlalchemy import engine_from_config, pool

engine = engine_from_config(context.config.get_section("alembic"), poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""

#: The same of `alembic init --template async`.
ASYNC_ENV = """\
import asyncio

from alembic import context
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import async_engine_from_config


def migrate(connection):
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()


async def main():
    section = context.config.get_section("alembic")
    engine = async_engine_from_config(section, poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


asyncio.run(main())
"""

SCRIPT = '''\
"""Make {revision}."""

import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {after!r}{more}


def upgrade():
{upgrade}


def downgrade():
{downgrade}
'''


class Scripts:
    """A history in a folder: each revision comes after the one that was added before it."""

    def __init__(self, folder: Path, env: str = SYNC_ENV) -> None:
        self.folder = folder
        self.versions = folder / "migrations" / "versions"
        self.versions.mkdir(parents=True)
        self.config = folder / "alembic.ini"
        self.config.write_text(INI)
        self.write_env(env)
        self._last: str | None = None

    def write_env(self, text: str) -> None:
        """Write or replace env.py."""
        (self.folder / "migrations" / "env.py").write_text(text)

    def add(
        self,
        revision: str,
        upgrade: str,
        *,
        downgrade: str = "pass",
        after: str | tuple[str, ...] | None = "",
        more: str = "",
        place: Path | None = None,
    ) -> Path:
        """Write or replace a revision, its functions given by their bodies.

        *more* are lines beside them, such as ``branch_labels = ("app",)``; *place* is another
        folder of versions.
        """
        text = SCRIPT.format(
            revision=revision,
            after=self._last if after == "" else after,
            more=f"\n{more}" if more else "",
            upgrade=indent(dedent(upgrade).strip(), "    "),
            downgrade=indent(dedent(downgrade).strip(), "    "),
        )
        self._last = revision
        return self.write(revision, text, place)

    def add_tables(self, *revisions: str) -> None:
        """Write revisions that each make a table of their own name: they fail if run twice."""
        for revision in revisions:
            self.add(
                revision,
                f'op.create_table("{revision}", sa.Column("id", sa.Integer, primary_key=True))',
                downgrade=f'op.drop_table("{revision}")',
            )

    def write(self, revision: str, text: str, place: Path | None = None) -> Path:
        """Write the file of a revision as it is given."""
        path = (place or self.versions) / f"{revision}.py"
        path.write_text(text)
        return path

    def remove(self, revision: str) -> None:
        """Delete the file of a revision."""
        (self.versions / f"{revision}.py").unlink()
