"""What the history comes to at its head, as a project would write it down for autogenerate."""

from __future__ import annotations

import sqlalchemy as sa
from databricks.sqlalchemy import DatabricksArray, DatabricksMap, DatabricksVariant
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import UserDefinedType

metadata = sa.MetaData()


class Place(UserDefinedType[object]):
    """A struct, which databricks-sqlalchemy has no type for."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return its name in SQL."""
        return "STRUCT<street: STRING, number: INT>"


variant = DatabricksVariant()  # type: ignore[no-untyped-call]  # has no types
matrix = DatabricksArray(DatabricksArray(sa.Integer()))  # type: ignore[no-untyped-call]  # as above
prices = DatabricksMap(sa.Text(), sa.Numeric(10, 2))  # type: ignore[no-untyped-call]  # as above

people = sa.Table(
    "people",
    metadata,
    sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("nickname", sa.Text(), nullable=False, server_default="it's \\ 5 % of :all"),
    sa.Column("mail", sa.Text(), index=True, unique=True),
    sa.Column("age", sa.Integer(), comment="in years"),
    sa.Column("paid", sa.Numeric(10, 2), server_default="9.99"),
    sa.Column("is_in", sa.Boolean(), nullable=False, server_default=sa.false()),
    sa.Column("born", sa.Date(), server_default=sa.text("current_date()")),
    sa.Column("seen", sa.DateTime(timezone=True), server_default=sa.func.current_timestamp()),
    sa.Column("kids", sa.Integer(), server_default="0"),
    sa.Column("joined", sa.DateTime(), server_default=sa.text("now()")),
    sa.Column("team", sa.Text(), nullable=False, server_default="red", comment="it's a colour"),
    sa.CheckConstraint("kids < 100", name="ck_people_kids"),
    sa.CheckConstraint("team IN ('red', 'blue')", name="ck_people_team"),
    sa.UniqueConstraint("team", "nickname", name="uq_people_team"),
    postgresql.ExcludeConstraint((sa.column("team"), "="), name="ex_people_team"),
    comment="it's everybody",
)
sa.Index("ix_people_team", people.c.team)
sa.Index("ix_people_lower", sa.func.lower(people.c.nickname))

sa.Table(
    "sizes",
    metadata,
    sa.Column("small", sa.Numeric(12, 2), comment="was small"),
    sa.Column("whole", sa.BigInteger()),
    sa.Column("single", sa.Double()),
    sa.Column("money", sa.Numeric(14, 4)),
    sa.Column("day", sa.DateTime()),
)
sa.Table(
    "events",
    metadata,
    sa.Column("at", sa.DateTime(), index=True),
    sa.Column("who", sa.Text()),
)
sa.Table("clicks", metadata, sa.Column("id", sa.Text()))
visits = sa.Table(
    "visits",
    metadata,
    sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
    sa.Column("guest", sa.BigInteger(), nullable=False, index=True),
    sa.Column(
        "parent",
        sa.BigInteger(),
        sa.ForeignKey("visits.id", name="fk_visits_parent", deferrable=True),
    ),
    sa.Column("host", sa.BigInteger(), sa.ForeignKey("people.id", name="fk_visits_host")),
    sa.Column("minutes", sa.Integer(), server_default="30"),
    sa.CheckConstraint("minutes > 0", name="ck_visits_minutes"),
    comment="who came",
)
sa.Table(
    "stays",
    metadata,
    sa.Column("room", sa.Text(), primary_key=True),
    sa.Column("day", sa.Date(), primary_key=True),
)
sa.Table(
    "tickets",
    metadata,
    sa.Column("state", sa.Enum("open", "shut", name="states")),
    sa.Column("kind", sa.Enum("a", "b", name="ck_tickets_kind", create_constraint=True)),
    sa.Column("extra", sa.JSON()),
    sa.Column("parsed", sa.JSON().with_variant(variant, "databricks")),
)
sa.Table(
    "files",
    metadata,
    sa.Column("body", sa.LargeBinary()),
    sa.Column("note", sa.Text()),
    sa.Column("name", sa.String(50)),
    sa.Column("digest", sa.BINARY(32)),
)
sa.Table(
    "numbers",
    metadata,
    sa.Column("always", sa.BigInteger(), sa.Identity(always=True, start=100, increment=10)),
    sa.Column("name", sa.Text()),
)
sa.Table(
    "counters",
    metadata,
    sa.Column("id", sa.Integer(), sa.Identity(minvalue=1, cycle=True), primary_key=True),
    sa.Column("name", sa.Text()),
)
sa.Table(
    "areas",
    metadata,
    sa.Column("side", sa.Integer(), nullable=False),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("area", sa.Integer(), sa.Computed("side * side")),
    sa.Column("label", sa.Text(), sa.Computed("upper(name)", persisted=True), comment="loud"),
    sa.Column("half", sa.Numeric(10, 2), sa.Computed("side / 2")),
)
sa.Table(
    "types",
    metadata,
    sa.Column("uuid", sa.Uuid()),
    sa.Column("other_uuid", sa.UUID()),
    sa.Column("clob", sa.CLOB()),
    sa.Column("nvarchar", sa.NVARCHAR(50)),
    sa.Column("sized", sa.VARCHAR(50)),
    sa.Column("fixed", sa.CHAR(3)),
    sa.Column("unicode", sa.Unicode(9)),
    sa.Column("datetime", sa.DATETIME()),
    sa.Column("zoned", sa.TIMESTAMP(timezone=True)),
    sa.Column("time", sa.Time()),
    sa.Column("double", sa.DOUBLE_PRECISION()),
    sa.Column("real", sa.REAL()),
    sa.Column("jsonb", postgresql.JSONB()),
    sa.Column("inet", postgresql.INET()),
    sa.Column("bytea", postgresql.BYTEA()),
)
sa.Table(
    "nested",
    metadata,
    sa.Column("tags", sa.ARRAY(sa.Text())),
    sa.Column("matrix", matrix),
    sa.Column("prices", prices),
    sa.Column("place", Place()),
)
sa.Table(
    "order",
    metadata,
    sa.Column("select", sa.Integer(), server_default="1"),
    sa.Column("a.b", sa.Text(), nullable=False, comment="`c`"),
    sa.Column("from", sa.Text()),
    sa.Column("full name", sa.Text()),
    sa.Column("with (brackets)", sa.Text(), server_default="x"),
    sa.CheckConstraint("`full name` <> ''", name="ck_order"),
    comment="`order`",
)
sa.Table("with-hyphen", metadata, sa.Column("größe", sa.Integer()))
sa.Table("once", metadata, sa.Column("id", sa.Integer()))
