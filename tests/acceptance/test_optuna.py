"""The history of a public package, unmodified, on ten databases, by the running service."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.dumps import dump
from tests.support.postgres import Databases
from tests.support.public_histories import run
from tests.support.service import Service, Site, until

COUNT = 10

#: `alembic upgrade head`, with the URL that the package's alembic.ini leaves to its user.
UPGRADE_HEAD = """
import sys

from alembic import command
from alembic.config import Config

config = Config(sys.argv[1])
config.set_main_option("sqlalchemy.url", sys.argv[2].replace("postgresql:", "postgresql+psycopg:"))
command.upgrade(config, "head")
"""


def history() -> Path:
    """Return the alembic.ini that the package brings."""
    spec = find_spec("optuna")
    assert spec
    assert spec.origin
    return Path(spec.origin).parent / "storages" / "_rdb" / "alembic.ini"


@pytest.fixture
async def urls(databases: Databases) -> list[str]:
    """Give ten empty databases."""
    return await databases(COUNT)


@pytest.fixture
async def expected(databases: Databases) -> str:
    """Give the schema that Alembic itself makes of an empty database."""
    (url,) = await databases(1)
    config = history()
    await run(sys.executable, "-c", UPGRADE_HEAD, str(config), url, cwd=config.parent)
    return await dump(url, "--schema-only")


def make_site(folder: Path, urls: list[str], policy: str) -> Site:
    """Write a levelhead.toml with a target for each database."""
    tables = [
        '[schedule]\nevery = "500ms"\njitter = "0s"',
        f'[[history]]\nname = "optuna"\nconfig = "{history()}"',
    ]
    tables += [
        f'[[target]]\nname = "{name}"\nhistory = "optuna"\nurl = "{url}"\npolicy = "{policy}"'
        for name, url in named(urls)
    ]
    (folder / "levelhead.toml").write_text("\n\n".join(tables))
    return Site(folder)


def named(urls: list[str]) -> Iterator[tuple[str, str]]:
    """Yield a target's name for each URL."""
    for place, url in enumerate(urls, start=1):
        yield f"studies-{place}", url


async def check_every_target(service: Service, urls: list[str], expected: str) -> None:
    """Check that one run brought each target to head, and that its schema is as *expected*."""
    runs = await service.runs()
    assert sorted(run["target"] for run in runs) == sorted(name for name, _ in named(urls))
    assert {run["state"] for run in runs} == {"succeeded"}
    assert (await service.get("/events/verify"))["events"] > 0
    for url in urls:
        assert await dump(url, "--schema-only") == expected


async def test_by_the_clock(tmp_path: Path, urls: list[str], expected: str) -> None:
    """The first sweep brings all ten to head, and to the schema that Alembic makes."""
    async with make_site(tmp_path, urls, "apply").served() as service:
        await service.all_current(within=60)
        await check_every_target(service, urls, expected)
        assert {run["actor"] for run in await service.runs()} == {"clock"}


async def test_by_one_call(tmp_path: Path, urls: list[str], expected: str) -> None:
    """One POST brings ten observed databases to head, and to the schema that Alembic makes."""
    async with make_site(tmp_path, urls, "observe").served() as service:

        async def all_are_seen() -> bool:
            return {each["status"] for each in (await service.targets()).values()} == {"behind"}

        await until(all_are_seen)
        rollout = await service.post("/sync")
        assert len(rollout["runs"]) == COUNT
        await service.all_current(within=60)
        await check_every_target(service, urls, expected)
        assert {run["actor"] for run in await service.runs()} == {"token:first"}
