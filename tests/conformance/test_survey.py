from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from providers.base import Session, Surveying, Warming
from providers.errors import AccessDeniedError, ConnectError, StartingError
from providers.types import BASE, Heads, Target
from tests.conformance.abilities import needs_surveys
from tests.conformance.adapters import Adapter

NO_WAIT = timedelta(0)
A1, B2 = frozenset({"a1"}), frozenset({"b2"})


def named(target: Target, *schemas: str) -> Sequence[Target]:
    """Return targets in these schemas of the database of *target*, named after them."""
    return [replace(target, name=schema, schema=schema) for schema in schemas]


async def fill(adapter: Adapter, heads: Sequence[Heads | None]) -> Sequence[Target]:
    """Return a target for each of *heads*, in schemas s0, s1, ...; None: no version table."""
    targets = named(adapter.target, *[f"s{place}" for place in range(len(heads))])
    for target, rows in zip(targets, heads, strict=True):
        await adapter.in_schemas(target.schema, None)
        if rows is not None:
            await adapter.write_heads(target, rows)
    return targets


async def test_ability(adapter: Adapter) -> None:
    """The optional ability can be seen from outside."""
    assert isinstance(adapter.provider, Surveying) == adapter.surveys


@needs_surveys
async def test_many(adapter: Adapter, surveying: Surveying) -> None:
    """A survey tells of each target what its session would: none, one or several heads."""
    heads = [BASE, A1, A1 | B2, None]
    targets = await fill(adapter, heads)
    survey = await surveying.survey(targets)
    assert [survey.heads[target.name] for target in targets] == [BASE, A1, A1 | B2, BASE]
    async with adapter.provider.open(adapter.target) as session:
        assert survey.major == await session.server_major()


@needs_surveys
@pytest.mark.parametrize("heads", [None, BASE, A1], ids=["missing", "empty", "one"])
async def test_one(adapter: Adapter, surveying: Surveying, heads: Heads | None) -> None:
    """A survey may be about one target, again and again, and what it tells is never old."""
    (target,) = await fill(adapter, [heads])
    for _ in range(2):
        assert (await surveying.survey([target])).heads == {target.name: heads or BASE}
    if heads is not None:
        await adapter.forget_heads(target)
        assert (await surveying.survey([target])).heads == {target.name: BASE}


@needs_surveys
async def test_creates_nothing(adapter: Adapter, surveying: Surveying) -> None:
    """A survey of targets without version tables creates none, nor a missing schema."""
    missing = named(adapter.target, "missing", "another")
    survey = await surveying.survey(missing)
    assert survey.heads in ({"missing": BASE, "another": BASE}, {})  # where it has to exist
    assert await adapter.tables() == set()


@needs_surveys
async def test_named_tables(adapter: Adapter, surveying: Surveying) -> None:
    """Each version table is the one that its target names, however odd, with schema or without."""
    odd = replace(adapter.target, name="odd", version_table=adapter.odd_name)
    await adapter.write_heads(adapter.target, A1)
    await adapter.write_heads(odd, B2)
    survey = await surveying.survey([adapter.target, odd])
    assert survey.heads == {adapter.target.name: A1, "odd": B2}


@needs_surveys
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "beside another"])
async def test_unreadable(adapter: Adapter, surveying: Surveying, *, alone: bool) -> None:
    """A version table that may not be read is left out, and the others are told."""
    target = await adapter.unreadable()
    other = replace(target, name="other", version_table="missing")
    survey = await surveying.survey([target] if alone else [target, other])
    assert survey.heads == ({} if alone else {"other": BASE})


@needs_surveys
async def test_unreachable(adapter: Adapter, surveying: Surveying) -> None:
    """Where nothing listens a survey is ConnectError, with its reason apart from the name."""
    target = await adapter.unreachable()
    with pytest.raises(ConnectError, match=r"^orders: ") as caught:
        await surveying.survey([target])
    assert str(caught.value) == f"orders: {caught.value.reason}"


@needs_surveys
async def test_starting(adapter: Adapter, surveying: Surveying) -> None:
    """Where the server is starting, so says the survey."""
    with pytest.raises(StartingError):
        await surveying.survey([await adapter.starting()])


@needs_surveys
async def test_wrong_password(adapter: Adapter, surveying: Surveying) -> None:
    """A wrong password is AccessDeniedError, for all of them."""
    with pytest.raises(AccessDeniedError, match=r"^orders: wrong (password|token)"):
        await surveying.survey([await adapter.unwelcome()])


async def test_sessions_beside_kept_connections(adapter: Adapter) -> None:
    """Nothing is left of a session, or of a survey, that another session could run into."""
    if isinstance(adapter.provider, Warming):
        adapter.provider.keep_warm(2, timedelta(minutes=1))
    for before, after in ((BASE, A1), (A1, B2)):
        async with adapter.provider.open(adapter.target) as session, session.lock(wait=NO_WAIT):
            await session.stamp(before=before, after=after)
            assert await _told(adapter, session) == after
    await adapter.provider.aclose()


async def _told(adapter: Adapter, session: Session) -> Heads:
    """Return the target's heads as a survey tells them, where there is such a thing."""
    if not isinstance(adapter.provider, Surveying):
        return await session.heads()
    return (await adapter.provider.survey([adapter.target])).heads[adapter.target.name]


@needs_surveys
async def test_places(adapter: Adapter, surveying: Surveying) -> None:
    """Targets in one database share their place; in another, or as another user, they do not."""
    one, other = named(adapter.target, "one", "other")
    assert surveying.place(one) == surveying.place(other)
    elsewhere = replace(one, url=f"{one.url}x")
    assert surveying.place(one) != surveying.place(elsewhere)
