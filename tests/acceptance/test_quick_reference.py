"""The migrations quick reference, walked from its top to its end on a real Postgres.

Commands stand here as they stand on the page, word for word; what stands there in angle
brackets is filled in. Commands that only prepare a situation start with `alembic`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.postgres import Databases
from tests.support.sample import Sample, copy_sample

SAMPLE_HEAD = "d915e08b47a3"

PRODUCT = """\
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column
from app.db.base import Base, TimestampMixin, UUIDPrimaryKeyMixin

class Product(Base, TimestampMixin, UUIDPrimaryKeyMixin):
    __tablename__ = "products"

    name: Mapped[str] = mapped_column(String(255), nullable=False)
    price: Mapped[float] = mapped_column(nullable=False)
"""

ORDER = """\
from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db.base import Base, TimestampMixin, UUIDPrimaryKeyMixin

if TYPE_CHECKING:
    from app.models.user import User

class Order(Base, TimestampMixin, UUIDPrimaryKeyMixin):
    __tablename__ = "orders"

    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"),
        nullable=False
    )

    # Relationship
    user: Mapped["User"] = relationship("User", back_populates="orders")
"""

USER_ORDERS = """\
    # Add relationship
    orders: Mapped[list["Order"]] = relationship(
        "Order",
        back_populates="user",
        cascade="all, delete-orphan"
    )
"""

DATA_MIGRATION = '''\
def upgrade() -> None:
    # Custom data transformation
    connection = op.get_bind()
    connection.execute(
        sa.text("""
            UPDATE users
            SET name = CONCAT(first_name, ' ', last_name)
            WHERE name IS NULL
        """)
    )

def downgrade() -> None:
    # Reverse the transformation
    pass  # Cannot reliably reverse this operation
'''

CUSTOM_SQL = '''\
def upgrade() -> None:
    # Create a view
    op.execute("""
        CREATE VIEW active_users AS
        SELECT * FROM users
        WHERE updated_at >= NOW() - INTERVAL '30 days'
    """)

def downgrade() -> None:
    op.execute("DROP VIEW IF EXISTS active_users")
'''


@pytest.mark.slow
async def test_every_command_and_workflow_of_the_page_works(
    tmp_path: Path, databases: Databases
) -> None:
    """Whoever follows the quick reference gets what it promises, from the first line to last."""
    url, other_url = await databases(2)
    sample = copy_sample(tmp_path / "project", url)
    await quick_commands(sample)
    await add_users(sample)
    await add_a_table(sample)
    await modify_a_column(sample)
    await add_a_foreign_key(sample)
    await create_an_empty_migration(sample)
    await migrate_data(sample)
    await create_a_view(sample)
    await models_and_database_agree(sample)
    await basic_commands(sample)
    await advanced_commands(sample, other_url)
    await roll_back(sample)
    await mend_an_applied_migration(sample)
    await delete_an_unapplied_migration(sample)
    await come_back_in_sync(sample)
    await merge_two_heads(sample)
    await everything_downgrades(sample)
    assert not (sample.root / "uv.lock").exists()


async def quick_commands(sample: Sample) -> None:
    """Quick Commands: from nothing to head, and a step back."""
    await sample.run("just migrate")
    assert await sample.version() == {SAMPLE_HEAD}
    await models_and_database_agree(sample)
    await sample.run('just create-migration "add user table"')
    await sample.run("just migrate")
    added = sample.revision("add_user_table")
    assert await sample.version() == {added}
    await sample.run("uv run alembic downgrade -1")
    assert await sample.version() == {SAMPLE_HEAD}
    assert (await sample.run("uv run alembic current")).strip() == SAMPLE_HEAD
    assert f"{SAMPLE_HEAD} -> {added} (head), add user table" in await sample.run(
        "uv run alembic history"
    )
    await sample.run("just migrate")


async def add_users(sample: Sample) -> None:
    """Rows that every later step has to respect."""
    await sample.execute(
        """
        INSERT INTO users
            (id, first_name, last_name, name, title, version, created_at, updated_at)
        VALUES
            (gen_random_uuid(), 'Ada', 'Lovelace', NULL, 'Countess', 1, now(), now()),
            (gen_random_uuid(), 'Grace', 'Hopper', 'Amazing Grace', 'Admiral', 1,
                now() - interval '90 days', now() - interval '90 days')
        """
    )


async def add_a_table(sample: Sample) -> None:
    """Common Workflows 1."""
    sample.write("app/models/product.py", PRODUCT)
    sample.edit(
        "app/models/__init__.py",
        '__all__ = ["User", "Conversation"]',
        "from app.models.product import Product  # Add this\n\n"
        '__all__ = ["User", "Conversation", "Product"]  # Add to __all__',
    )
    await sample.run('just create-migration "add product table"')
    assert 'op.drop_table("products")' in sample.script("add_product_table").read_text()
    assert await sample.columns("products") == {}
    await sample.run("just migrate")
    assert await sample.columns("products") == {
        "id": "uuid",
        "name": "character varying",
        "price": "double precision",
        "created_at": "timestamp with time zone",
        "updated_at": "timestamp with time zone",
    }


async def modify_a_column(sample: Sample) -> None:
    """Common Workflows 2."""
    assert (await sample.columns("users"))["title"] == "character varying null"
    sample.edit(
        "app/models/user.py",
        "    title: Mapped[str | None] = mapped_column(String(255), nullable=True)\n",
        "    title: Mapped[str | None] = mapped_column(String(255), nullable=False) # Changed\n"
        "    # New column\n"
        "    email: Mapped[str | None] = mapped_column(String(255), nullable=True)\n",
    )
    await sample.run('just create-migration "add email to users; modify title to nullable"')
    await sample.run("just migrate")
    columns = await sample.columns("users")
    assert (columns["title"], columns["email"]) == ("character varying", "character varying null")
    assert await sample.query("SELECT title FROM users ORDER BY title") == [
        ("Admiral",),
        ("Countess",),
    ]


async def add_a_foreign_key(sample: Sample) -> None:
    """Common Workflows 3."""
    sample.write("app/models/order.py", ORDER)
    sample.edit(
        "app/models/__init__.py",
        "from app.models.product",
        "from app.models.order import Order\nfrom app.models.product",
    )
    sample.edit("app/models/__init__.py", '"Product"]', '"Product", "Order"]')
    path = sample.root / "app/models/user.py"
    path.write_text(path.read_text() + USER_ORDERS)
    sample.edit(
        "app/models/user.py",
        "if TYPE_CHECKING:\n",
        "if TYPE_CHECKING:\n    from app.models.order import Order\n",
    )
    await sample.run('just create-migration "add order user relationship"')
    await sample.run("just migrate")
    assert await sample.query(
        "SELECT conname, confrelid::regclass::text, confdeltype = 'c' FROM pg_constraint"
        " WHERE conrelid = 'orders'::regclass AND contype = 'f'"
    ) == [("fk_orders_user_id_users", "users", True)]
    await sample.run(
        "uv run python -c 'from app.models import User; assert User.orders.mapper.class_.user'"
    )


async def create_an_empty_migration(sample: Sample) -> None:
    """Manual Migrations: Create Empty Migration."""
    await sample.run('uv run alembic revision -m "custom data migration"')
    assert sample.script("custom_data_migration").read_text().count("\n    pass\n") == 2
    await sample.run("just migrate")
    assert await sample.version() == {sample.revision("custom_data_migration")}


async def migrate_data(sample: Sample) -> None:
    """Manual Migrations: Data Migration."""
    await sample.run('uv run alembic revision -m "migrate user data"')
    sample.fill("migrate_user_data", DATA_MIGRATION)
    await sample.run("just migrate")
    assert await sample.query("SELECT first_name, name FROM users ORDER BY 1") == [
        ("Ada", "Ada Lovelace"),
        ("Grace", "Amazing Grace"),
    ]


async def create_a_view(sample: Sample) -> None:
    """Manual Migrations: Custom SQL."""
    await sample.run('uv run alembic revision -m "add active users view"')
    sample.fill("add_active_users_view", CUSTOM_SQL)
    await sample.run("just migrate")
    assert await sample.query("SELECT first_name FROM active_users") == [("Ada",)]


async def basic_commands(sample: Sample) -> None:
    """Migration Commands Reference: Basic Commands."""
    orders = sample.revision("add_order_user_relationship")
    data = sample.revision("migrate_user_data")
    view = sample.revision("add_active_users_view")
    history = await sample.run("uv run alembic history --verbose")
    assert history.count("Revision ID: ") == 10
    assert f"Path: {sample.script('migrate_user_data')}" in history

    await sample.run("alembic downgrade base")
    await sample.run(f"uv run alembic upgrade {orders}")
    assert await sample.version() == {orders}
    assert await sample.columns("orders")
    await sample.run("just migrate")
    await sample.run(f"uv run alembic downgrade {data}")
    assert await sample.version() == {data}
    assert not await sample.columns("active_users")
    await sample.run("uv run alembic downgrade -2")
    assert await sample.version() == {orders}
    await sample.run("uv run alembic downgrade -2")
    assert not await sample.columns("orders")
    assert "email" not in await sample.columns("users")

    before = await sample.version()
    sql = await sample.run("uv run alembic upgrade head --sql")
    assert "CREATE TABLE orders" in sql
    assert "SET name = CONCAT(first_name, ' ', last_name)" in sql
    assert await sample.version() == before
    await sample.run("uv run alembic stamp head")
    assert await sample.version() == {view}
    assert not await sample.columns("orders")
    await sample.run(f"alembic stamp {before.pop()}")
    await sample.run("just migrate")
    assert await sample.columns("orders")


async def advanced_commands(sample: Sample, other_url: str) -> None:
    """Migration Commands Reference: Advanced Commands."""
    head = sample.revision("add_active_users_view")
    assert (await sample.run("uv run alembic current")).strip() == f"{head} (head)"
    left, right = await add_revisions(sample, "left", "right")
    assert await heads(sample) == {left, right}
    await sample.run(f'uv run alembic merge -m "merge branches" {left} {right}')
    merged = sample.revision("merge_branches")
    assert await heads(sample) == {merged}
    assert f"Merges: {left}, {right}" in await sample.run(f"uv run alembic show {merged}")

    await sample.run("uv run alembic upgrade head --sql > migration.sql")
    assert await sample.version() == {head}
    await sample.run("just migrate")
    assert await sample.version() == {merged}
    other = Sample(sample.root, other_url)
    await other.execute((sample.root / "migration.sql").read_text())
    assert await other.version() == await sample.version()
    for table in ("users", "conversations", "products", "orders", "active_users"):
        assert await other.columns(table) == await sample.columns(table) != {}


async def add_revisions(sample: Sample, *slugs: str) -> tuple[str, ...]:
    """Write revisions that all follow the one head; each creates a table of its own name."""
    (head,) = await heads(sample)
    for slug in slugs:
        await sample.run(f'alembic revision --splice --head {head} -m "{slug}"')
        sample.fill(
            slug,
            "def upgrade() -> None:\n"
            f'    op.create_table("{slug}", sa.Column("id", sa.Integer()))\n\n\n'
            "def downgrade() -> None:\n"
            f'    op.drop_table("{slug}")\n',
        )
    return tuple(map(sample.revision, slugs))


async def heads(sample: Sample) -> set[str]:
    """Return what `alembic heads` names."""
    lines = (await sample.run("uv run alembic heads")).splitlines()
    assert all(line.endswith(" (head)") for line in lines)
    return {line.split()[0] for line in lines}


async def roll_back(sample: Sample) -> None:
    """Rollback Strategies."""
    merged = sample.revision("merge_branches")
    view = sample.revision("add_active_users_view")
    (first,) = await add_revisions(sample, "first")
    (second,) = await add_revisions(sample, "second")
    await sample.run("just migrate")
    assert await sample.version() == {second}
    await sample.run("just migrate-down")
    assert await sample.version() == {first}
    await sample.run("uv run alembic downgrade -1")
    assert await sample.version() == {merged}
    assert not await sample.columns("first")
    assert f"-> {view} (branchpoint), add active users view" in await sample.run(
        "uv run alembic history"
    )
    await sample.run(f"uv run alembic downgrade {view}")
    assert await sample.version() == {view}
    assert not await sample.columns("left")
    await sample.run("just migrate")
    assert await sample.columns("left")


async def everything_downgrades(sample: Sample) -> None:
    """Rollback Strategies: Rollback All Migrations. Last here, so it takes back the whole page."""
    await sample.run("uv run alembic downgrade base")
    assert await sample.query(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind IN ('r', 'v')"
    ) == [("alembic_version",)]
    assert await sample.version() == set()
    await sample.run("just migrate")
    assert await sample.version() == await heads(sample)


async def mend_an_applied_migration(sample: Sample) -> None:
    """Troubleshooting: Migration Was Applied but Has Errors."""
    await add_revisions(sample, "wrong")
    await sample.run("just migrate")
    assert await sample.columns("wrong") == {"id": "integer null"}
    await sample.run("just migrate-down")
    assert await sample.columns("wrong") == {}
    name = str(sample.script("wrong").relative_to(sample.root))
    sample.edit(name, "sa.Integer()", "sa.BigInteger()")
    await sample.run("just migrate")
    assert await sample.columns("wrong") == {"id": "bigint null"}


async def delete_an_unapplied_migration(sample: Sample) -> None:
    """Troubleshooting: Delete Unapplied Migration."""
    (current,) = await sample.version()
    (unapplied,) = await add_revisions(sample, "never_applied")
    assert (await sample.run("uv run alembic current")).strip() == current
    timestamp = sample.script("never_applied").name.partition("_")[0]
    await sample.run(f"rm alembic/versions/{timestamp}_*.py")
    assert unapplied not in await sample.run("uv run alembic history")
    assert await heads(sample) == {current}


async def come_back_in_sync(sample: Sample) -> None:
    """Troubleshooting: Migration Out of Sync."""
    (head,) = await sample.version()
    await sample.execute("DELETE FROM alembic_version")
    assert (await sample.attempt("just migrate")).code != 0
    await sample.run(f"uv run alembic stamp {SAMPLE_HEAD}")
    assert await sample.version() == {SAMPLE_HEAD}
    await sample.run("uv run alembic stamp head")
    assert await sample.version() == {head}
    await sample.run("just migrate")


async def merge_two_heads(sample: Sample) -> None:
    """Troubleshooting: Merge Conflicts in Migrations."""
    mine, theirs = await add_revisions(sample, "mine", "theirs")
    refused = await sample.attempt("just migrate")
    assert "Multiple head revisions are present" in refused.out
    assert await heads(sample) == {mine, theirs}
    await sample.run(f'uv run alembic merge -m "merge migration branches" {mine} {theirs}')
    await sample.run("just migrate")
    assert await sample.version() == {sample.revision("merge_migration_branches")}
    assert await sample.columns("mine")
    assert await sample.columns("theirs")


async def models_and_database_agree(sample: Sample) -> None:
    """Autogenerate has nothing to add to what the history made."""
    assert "No new upgrade operations detected" in await sample.run("uv run alembic check")
