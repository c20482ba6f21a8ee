from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from sync.errors import LeaseLostError
from sync.lease import Lease, Leases, Occupied
from sync.store.engine import Store

TTL = timedelta(minutes=1)
EXPIRED = timedelta(0)  # as a time to live: over as soon as it is given


def service(store: Store, holder: str, ttl: timedelta = TTL) -> Leases:
    """Build the leases of one service."""
    return Leases(store, holder=holder, ttl=ttl)


async def acquire(store: Store, leases: Leases, run: str = "r") -> Lease | Occupied:
    """Try to lease a target in a transaction of its own."""
    async with store.writing() as connection:
        return await leases.acquire(connection, "orders-eu", run)


async def leased(store: Store, leases: Leases, run: str = "r") -> Lease:
    """Lease a target that is free."""
    lease = await acquire(store, leases, run)
    assert isinstance(lease, Lease)
    return lease


async def test_one_holder_at_a_time(store: Store) -> None:
    """A leased target is occupied for everybody, and the answer says by what and until when."""
    one, two = service(store, "one"), service(store, "two")
    lease = await leased(store, one, "r1")
    occupied = Occupied("r1", "one", lease.expires_at)
    assert await acquire(store, two, "r2") == occupied
    assert await acquire(store, one, "r3") == occupied


async def test_race_has_one_winner(store: Store) -> None:
    """Of many that ask at once, exactly one gets the target, be it new or used before."""
    rivals = [service(store, f"s{number}") for number in range(10)]
    for _ in range(2):
        answers = await asyncio.gather(*(acquire(store, each) for each in rivals))
        assert sum(isinstance(answer, Lease) for answer in answers) == 1
        await rivals[0].abandon_all()


async def test_renewed_a_moment_ago(store: Store) -> None:
    """A lease that is nearly as good as new is confirmed, and not written again."""
    leases = service(store, "one")
    lease = await leased(store, leases)
    assert await leases.renew(lease) == lease
    hasty = service(store, "one", ttl=TTL * 2)
    assert (await hasty.renew(lease)).expires_at > lease.expires_at


async def test_released_target_is_free(store: Store) -> None:
    """After a release the next holder gets a higher token."""
    one, two = service(store, "one"), service(store, "two")
    first = await leased(store, one)
    async with store.writing() as connection:
        await one.release(connection, first)
    second = await leased(store, two)
    assert second.token > first.token


async def test_expired_lease_is_taken_over(store: Store) -> None:
    """Who let a lease run out loses it to the next, and cannot confirm or renew any more."""
    slow, quick = service(store, "slow", EXPIRED), service(store, "quick")
    old = await leased(store, slow)
    new = await leased(store, quick)
    assert new.token > old.token
    with pytest.raises(LeaseLostError, match="orders-eu"):
        await slow.renew(old)
    assert (await quick.renew(new)).token == new.token


async def test_same_service_is_fenced_too(store: Store) -> None:
    """The token decides, not the name: a service that overtook itself cannot use the old lease."""
    old = await leased(store, service(store, "one", EXPIRED))
    await leased(store, service(store, "one"))
    with pytest.raises(LeaseLostError):
        await service(store, "one").renew(old)


async def test_expired_lease_that_nobody_took_stands(store: Store) -> None:
    """A late heartbeat is no harm as long as nobody else came."""
    lease = await leased(store, service(store, "one", EXPIRED))
    renewed = await service(store, "one").renew(lease)
    assert renewed.token == lease.token
    assert renewed.expires_at > lease.expires_at
    assert isinstance(await acquire(store, service(store, "two")), Occupied)


async def test_release_of_a_lost_lease_does_nothing(store: Store) -> None:
    """A holder that was overtaken cannot free the target under the new one."""
    slow, quick = service(store, "slow", EXPIRED), service(store, "quick")
    old = await leased(store, slow)
    new = await leased(store, quick)
    async with store.writing() as connection:
        await slow.release(connection, old)
    assert (await quick.renew(new)).token == new.token


async def test_abandoned_leases_are_free_and_lost(store: Store) -> None:
    """After a restart every target is free at once, and old leases do not stand."""
    before = service(store, "before")
    old = await leased(store, before)
    after = service(store, "after")
    await after.abandon_all()
    assert (await leased(store, after)).token > old.token
    with pytest.raises(LeaseLostError):
        await before.renew(old)


async def test_lease_that_never_was(store: Store) -> None:
    """A target that was never leased has no lease to renew."""
    leases = service(store, "one")
    async with store.reading() as connection:
        now = (await connection.execute(select(store.now()))).scalar_one()
    with pytest.raises(LeaseLostError):
        await leases.renew(Lease("nowhere", "one", 1, now))
