"""A history of twenty revisions such as a small shop would have after a year.

None of its scripts depends on the target, so every step is replayed: what is compared is the
way of sending. One builds an index CONCURRENTLY, which no transaction can hold.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

_UPGRADES = (
    """
    op.create_table(
        "customer",
        sa.Column("id", pg.UUID(), server_default=sa.text("gen_random_uuid()"), primary_key=True),
        sa.Column("email", sa.String(320), nullable=False, unique=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("joined_at", moment, server_default=sa.func.now(), nullable=False),
    )
    """,
    """
    op.create_table(
        "address",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("customer_id", pg.UUID(), references("customer", "CASCADE"), nullable=False),
        sa.Column("street", sa.Text(), nullable=False),
        sa.Column("town", sa.String(120), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
    )
    op.create_index("ix_address_customer", "address", ["customer_id"])
    """,
    """
    op.create_table(
        "product",
        sa.Column("id", pg.UUID(), server_default=sa.text("gen_random_uuid()"), primary_key=True),
        sa.Column("sku", sa.String(40), nullable=False, unique=True),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("price", sa.Numeric(12, 2), nullable=False),
        sa.CheckConstraint("price >= 0", name="ck_product_price"),
    )
    """,
    """
    op.create_table(
        "category",
        sa.Column("id", sa.Integer(), sa.Identity(), primary_key=True),
        sa.Column("parent_id", sa.Integer(), references("category")),
        sa.Column("name", sa.String(80), nullable=False),
        sa.UniqueConstraint("parent_id", "name", name="uq_category_name"),
    )
    op.create_table(
        "product_category",
        sa.Column("product_id", pg.UUID(), references("product", "CASCADE"), primary_key=True),
        sa.Column("category_id", sa.Integer(), references("category"), primary_key=True),
    )
    """,
    """
    state = pg.ENUM("cart", "placed", "sent", "returned", name="order_state")
    op.create_table(
        "purchase",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("customer_id", pg.UUID(), references("customer"), nullable=False),
        sa.Column("state", state, server_default="cart", nullable=False),
        sa.Column("created_at", moment, server_default=sa.func.now(), nullable=False),
    )
    op.create_index("ix_purchase_customer", "purchase", ["customer_id", "state"])
    """,
    """
    op.create_table(
        "purchase_line",
        sa.Column("purchase_id", sa.BigInteger(), references("purchase"), primary_key=True),
        sa.Column("number", sa.SmallInteger(), primary_key=True),
        sa.Column("product_id", pg.UUID(), references("product"), nullable=False),
        sa.Column("quantity", sa.Integer(), server_default="1", nullable=False),
        sa.Column("price", sa.Numeric(12, 2), nullable=False),
        sa.CheckConstraint("quantity > 0", name="ck_purchase_line_quantity"),
    )
    op.create_index("ix_purchase_line_product", "purchase_line", ["product_id"])
    """,
    """
    op.add_column("purchase", sa.Column("placed_at", moment))
    op.add_column("purchase", sa.Column("remark", sa.Text()))
    op.create_index("ix_purchase_placed", "purchase", ["placed_at"])
    """,
    """
    op.execute("UPDATE purchase SET placed_at = created_at WHERE placed_at IS NULL")
    op.alter_column("purchase", "placed_at", nullable=False, server_default=sa.func.now())
    """,
    """
    op.create_table(
        "payment",
        sa.Column("id", pg.UUID(), server_default=sa.text("gen_random_uuid()"), primary_key=True),
        sa.Column("purchase_id", sa.BigInteger(), references("purchase"), nullable=False),
        sa.Column("amount", sa.Numeric(12, 2), nullable=False),
        sa.Column("details", pg.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("paid_at", moment, server_default=sa.func.now(), nullable=False),
    )
    op.create_index("ix_payment_purchase", "payment", ["purchase_id"])
    """,
    """
    op.alter_column("product", "title", type_=sa.Text(), existing_type=sa.String(200))
    op.alter_column("customer", "name", new_column_name="full_name")
    """,
    """
    currency = op.create_table(
        "currency",
        sa.Column("code", sa.String(3), primary_key=True),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("digits", sa.SmallInteger(), nullable=False),
    )
    op.bulk_insert(
        currency,
        [
            {"code": "EUR", "name": "Euro", "digits": 2},
            {"code": "JPY", "name": "Yen", "digits": 0},
            {"code": "TOP", "name": "Pa'anga: 100% of it", "digits": 2},
        ],
    )
    """,
    """
    op.add_column(
        "product",
        sa.Column("currency", sa.String(3), references("currency"), server_default="EUR"),
    )
    op.create_check_constraint("ck_currency_digits", "currency", "digits BETWEEN 0 AND 4")
    """,
    """
    op.execute(
        "CREATE VIEW open_purchase AS SELECT p.id, c.email, p.state, p.placed_at FROM purchase p"
        " JOIN customer c ON c.id = p.customer_id WHERE p.state <> 'sent'"
    )
    """,
    """
    with op.get_context().autocommit_block():
        op.create_index("ix_product_title", "product", ["title"], postgresql_concurrently=True)
    """,
    """
    op.add_column("product", sa.Column("labels", pg.ARRAY(sa.Text())))
    op.create_index("ix_product_labels", "product", ["labels"], postgresql_using="gin")
    """,
    """
    op.execute(
        "CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.changed_at := now(); RETURN NEW; END $$"
    )
    op.add_column("customer", sa.Column("changed_at", moment))
    op.execute(
        "CREATE TRIGGER customer_changed BEFORE UPDATE ON customer"
        " FOR EACH ROW EXECUTE FUNCTION note_change()"
    )
    """,
    """
    op.add_column("customer", sa.Column("handle", sa.Text(), sa.Computed("lower(email)")))
    """,
    """
    op.drop_constraint("uq_category_name", "category")
    op.create_index("uq_category_name", "category", [sa.text("lower(name)")], unique=True)
    """,
    """
    op.create_table(
        "change",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("at", moment, server_default=sa.func.now(), nullable=False),
        sa.Column("who", pg.UUID()),
        sa.Column("what", pg.JSONB(), nullable=False),
    )
    op.create_index("ix_change_what", "change", ["what"], postgresql_using="gin")
    """,
    """
    op.drop_column("purchase", "remark")
    op.add_column("purchase", sa.Column("channel", sa.String(20), server_default="web"))
    op.execute("COMMENT ON COLUMN purchase.channel IS 'where the customer came from'")
    """,
)

_SCRIPT = '''\
"""Revision {number} of the bench."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "{number:04}"
down_revision = {before!r}

moment = sa.DateTime(timezone=True)


def references(table, ondelete=None):
    key = "code" if table == "currency" else "id"
    return sa.ForeignKey(f"{{table}}.{{key}}", ondelete=ondelete)


def upgrade():
{body}
'''

_ENV = """\
import os

from alembic import context
from sqlalchemy import create_engine

with create_engine(os.environ["BENCH_URL"]).connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
"""

#: Name of the environment variable from which its ``env.py`` takes the database.
VARIABLE = "BENCH_URL"


def write_twenty(folder: Path) -> Path:
    """Write the history to *folder*; return its ``alembic.ini``."""
    versions = folder / "migrations" / "versions"
    versions.mkdir(parents=True)
    (folder / "migrations" / "env.py").write_text(_ENV)
    for number, upgrade in enumerate(_UPGRADES, start=1):
        (versions / f"{number:04}.py").write_text(_script(number, upgrade))
    config = folder / "alembic.ini"
    config.write_text("[alembic]\nscript_location = %(here)s/migrations\n")
    return config


def _script(number: int, upgrade: str) -> str:
    before = f"{number - 1:04}" if number > 1 else None
    body = textwrap.indent(textwrap.dedent(upgrade).strip("\n"), "    ")
    return _SCRIPT.format(number=number, before=before, body=body)
