from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import (
    CheckConstraint,
    Column,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    Uuid,
    create_engine,
    select,
)
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.pool import StaticPool

import app.models
from app.db.base import NAMING_CONVENTION, Base
from app.models import Conversation, User


@pytest.fixture
def engine() -> Iterator[Engine]:
    """Give an empty database in memory that holds the sample schema."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def test_every_constraint_gets_a_name() -> None:
    """Keys, constraints and indexes are named after what they constrain."""
    table = Table(
        "visits",
        MetaData(naming_convention=dict(NAMING_CONVENTION)),
        Column("id", Integer, primary_key=True),
        Column("user_id", ForeignKey("users.id")),
        Column("place", String, index=True),
        Column("day", String),
        UniqueConstraint("place", "day"),
        CheckConstraint("day <> ''", name="some_day"),
    )
    Table("users", table.metadata, Column("id", Uuid, primary_key=True))
    assert {index.name for index in table.indexes} == {"ix_visits_place"}
    assert {str(constraint.name) for constraint in table.constraints} == {
        "pk_visits",
        "fk_visits_user_id_users",
        "uq_visits_place_day",
        "ck_visits_some_day",
    }


def test_the_convention_is_that_of_the_models() -> None:
    """The models' own keys follow the naming convention."""
    names = {str(c.name) for t in Base.metadata.tables.values() for c in t.constraints}
    assert names == {"pk_users", "pk_conversations", "fk_conversations_user_id_users"}


def test_models_are_registered_in_the_package() -> None:
    """What `app.models` lists is what autogenerate compares."""
    listed = {getattr(app.models, name).__tablename__ for name in app.models.__all__}
    assert listed == set(Base.metadata.tables)


def test_an_update_counts_the_version_up(engine: Engine) -> None:
    """A row starts at version 1, and each UPDATE adds one."""
    with Session(engine) as session:
        user = User(name="Ada")
        session.add(user)
        session.commit()
        assert user.version == 1
        user.name = "Ada Lovelace"
        session.commit()
        assert user.version == 2


def test_a_stale_update_is_refused(engine: Engine) -> None:
    """Of two who change the same reading of a row, the second is told and changes nothing."""
    with Session(engine) as session:
        session.add(User(name="Ada"))
        session.commit()
    with Session(engine) as first, Session(engine) as second:
        mine, theirs = first.scalars(select(User)).one(), second.scalars(select(User)).one()
        theirs.name = "theirs"
        second.commit()
        mine.name = "mine"
        with pytest.raises(StaleDataError):
            first.flush()
        first.rollback()
        assert first.scalars(select(User.name)).all() == ["theirs"]


def test_a_stale_delete_is_refused(engine: Engine) -> None:
    """A row that changed since it was read is not deleted unseen."""
    with Session(engine) as session:
        session.add(User(name="Ada"))
        session.commit()
    with Session(engine) as first, Session(engine) as second:
        mine, theirs = first.scalars(select(User)).one(), second.scalars(select(User)).one()
        theirs.name = "theirs"
        second.commit()
        first.delete(mine)
        with pytest.raises(StaleDataError):
            first.flush()


def test_timestamps_come_by_themselves(engine: Engine) -> None:
    """Both are set by the INSERT; an UPDATE moves `updated_at` alone."""
    with Session(engine) as session:
        user = User(name="Ada")
        session.add(user)
        session.commit()
        created = user.created_at
        user.updated_at = created - timedelta(days=1)
        session.commit()
        user.name = "Ada Lovelace"
        session.commit()
        assert (user.created_at, user.updated_at >= created) == (created, True)


def test_a_user_takes_conversations_along(engine: Engine) -> None:
    """Deleting a user deletes what belongs to that user."""
    with Session(engine) as session:
        user = User(name="Ada", conversations=[Conversation(subject="engines")])
        session.add(user)
        session.commit()
        session.delete(user)
        session.commit()
        assert session.scalars(select(Conversation)).all() == []


@pytest.mark.parametrize("table", Base.metadata.sorted_tables, ids=lambda table: table.name)
def test_types_belong_to_no_dialect(table: Table) -> None:
    """Columns use SQLAlchemy's generic types, and no default needs DDL."""
    for column in table.columns:
        assert type(column.type).__module__ == "sqlalchemy.sql.sqltypes"
        assert column.server_default is None
