"""Two services and a hand-run on the same targets at the same moment."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.engine import execute, query, version
from tests.support.killing import all_stopped, held, in_doubt, ledger, make_targets, write_history
from tests.support.postgres import Databases, Postgres
from tests.support.racing import (
    GATED,
    GROUND,
    UNGUARDED,
    Racer,
    add_hook,
    racing,
    reset,
    two_services,
    write_revisions,
)
from tests.support.sample import copy_sample
from tests.support.service import Site, until, write_site

RACES = 50
REVISIONS = ("one", "two", "three")


@dataclass(frozen=True, slots=True)
class Course:
    """What is raced over."""

    server: Postgres
    template: str
    urls: Sequence[str] = field(repr=False)
    site: Site

    @property
    def config(self) -> Path:
        """The alembic.ini."""
        return self.site.folder / "alembic.ini"

    def are_runners_there(self) -> Awaitable[bool]:
        """Tell whether the runner of each target has come to the hook."""
        arrived = list(self.site.folder.glob("arrived-*"))
        return asyncio.sleep(0, len(arrived) == len(self.urls))

    async def race(self, *starts: Awaitable[list[str]]) -> None:
        """Put every target to base, and let all sync at once: no failure, each revision once."""
        await reset(self.server, self.template, [name_of(url) for url in self.urls])
        problems = await asyncio.gather(*starts)
        assert [each for found in problems for each in found] == []
        for url in self.urls:
            assert await ledger(url) == list(REVISIONS)
            assert await version(url) == {REVISIONS[-1]}


def name_of(url: str) -> str:
    """Return the name of a database."""
    return url.rpartition("/")[2]


@pytest.fixture
async def course(tmp_path: Path, postgres: Postgres, databases: Databases) -> Course:
    """Give two targets, a copy of the sample project, and a control database of Postgres."""
    template, control = await databases(2)
    await execute(template, GROUND)
    urls = await databases(2)
    sample = copy_sample(tmp_path / "project", urls[0])
    write_revisions(sample, *REVISIONS)
    targets = {f"db-{place}": url for place, url in enumerate(urls, start=1)}
    site = write_site(sample.root / "alembic.ini", targets, control=f'url = "{control}"')
    return Course(postgres, name_of(template), urls, site)


@pytest.mark.slow
async def test_fifty_races(course: Course) -> None:
    """Two services, and now and then a hand-run: no failure, each revision applied once."""
    chance = random.Random(20261122)  # noqa: S311 - not a secret: who starts how much later
    async with (
        two_services("service", course.site) as services,
        racing("hand", course.config) as hand,
    ):
        for number in range(RACES):
            starts = [each.race("sweep", after=chance.uniform(0, 0.1)) for each in services]
            if number % 3 == 0:
                starts.append(hand.race(" ".join(course.urls), after=chance.uniform(0, 1)))
            await course.race(*starts)
    assert (await course.site.run("events", "verify")).code == 0


@pytest.mark.slow
async def test_the_race_is_lost_without_locks(course: Course) -> None:
    """With lease, lock and guard switched off and both at the start together, it fails."""
    add_hook(course.site, "unguarded", UNGUARDED)
    async with two_services("unguarded", course.site) as services:
        with pytest.raises(AssertionError, match=r"already exists|duplicate key"):
            await course.race(*[each.race("sync") for each in services])


@pytest.mark.slow
async def test_a_hand_run_slips_in(course: Course) -> None:
    """Who migrates between the service's look and the runner's lock does no harm."""
    add_hook(course.site, "gated", GATED)
    closed = course.config.with_name("closed")

    async def slip_in(hand: Racer) -> list[str]:
        await until(course.are_runners_there)
        found = await hand.race(" ".join(course.urls))
        closed.unlink()
        return found

    async with (
        two_services("service", course.site) as (one, _),
        racing("hand", course.config) as hand,
    ):
        await course.race(one.race("sweep"))  # reads the history too, which calls the hook
        closed.touch()
        await course.race(one.race("sweep"), slip_in(hand))


@pytest.mark.slow
async def test_a_service_that_was_overtaken_stops(tmp_path: Path, databases: Databases) -> None:
    """Who loses its lease in mid-run does nothing more; the new holder goes on from there."""
    site, urls, control = await make_shared_site(tmp_path, databases)
    async with held(urls, {"inside": "inside"}) as holds, site.served() as slow:
        await all_stopped(holds)
        (first,) = await slow.runs()
        async with site.served() as other:
            await execute(control, EXPIRE)
            await until(lambda: is_overtaken(control))
            holds["inside"].let_go()
            await other.all_current()
            events = await other.events()
            assert [run["state"] for run in await other.runs()] == ["failed", "succeeded"]
    assert await ledger(urls["inside"]) == ["r1", "r2", "r3", "r4"]
    assert in_doubt(events) == set()
    refused = [each["data"].get("error") for each in events if each["run"] == first["id"]]
    assert set(refused) == {None, "LeaseLostError"}
    assert [each["run"] for each in events if each["kind"] == "lease.lost"] == [first["id"]]


@pytest.mark.slow
async def test_a_service_knows_its_own_runs(tmp_path: Path, databases: Databases) -> None:
    """A lease that ran out while nobody else wanted it stands: its run goes on undisturbed."""
    site, urls, control = await make_shared_site(tmp_path, databases)
    async with held(urls, {"inside": "inside"}) as holds, site.served() as service:
        await all_stopped(holds)
        await execute(control, EXPIRE)
        await asyncio.sleep(1)  # several sweeps
        holds["inside"].let_go()
        await service.all_current()
        assert [run["state"] for run in await service.runs()] == ["succeeded"]


EXPIRE = "UPDATE leases SET expires_at = (SELECT min(at) FROM events)"


async def make_shared_site(folder: Path, databases: Databases) -> tuple[Site, dict[str, str], str]:
    """Return a site with one target, the target, and the control database on Postgres."""
    urls = await make_targets(databases, ["inside"])
    (control,) = await databases(1)
    site = write_site(write_history(folder / "history"), urls, control=f'url = "{control}"')
    return site, urls, control


async def is_overtaken(control: str) -> bool:
    """Tell whether a second holder has the lease."""
    return await query(control, "SELECT token FROM leases") == [(2,)]
