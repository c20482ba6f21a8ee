"""One history on databases of three kinds: one rollout brings all level, with one audit trail."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from providers.databricks.warehouse import Warehouse
from tests.support.engine import version
from tests.support.lakebase_stand import TOKEN, Stand, lakebase, trusted
from tests.support.postgres import Databases
from tests.support.sample import copy_sample
from tests.support.service import Service, Site, write_site
from tests.support.warehouse_client import session

pytest_plugins = ["tests.support.warehouse"]
__all__ = ["lakebase", "trusted"]

POSTGRES = ("eu", "us", "jp")
LAKES = ("lake-eu", "lake-us")
KINDS = {
    **dict.fromkeys(POSTGRES, "postgresql"),
    "edge": "lakebase",
    **dict.fromkeys(LAKES, "databricks"),
}


@pytest.fixture
def schemas(warehouse: Warehouse) -> Iterator[list[str]]:
    """Give two empty schemas of the warehouse, which are dropped after the test."""
    names = [f"kinds_{secrets.token_hex(6)}" for _ in LAKES]
    with session(warehouse) as cursor:
        for name in names:
            cursor.execute(f"CREATE SCHEMA {name}")
        yield names
        for name in names:
            cursor.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.mark.slow
async def test_one_rollout_brings_all_level(
    tmp_path: Path,
    databases: Databases,
    lakebase: Stand,
    warehouse: Warehouse,
    schemas: Sequence[str],
) -> None:
    """Three Postgres, one Lakebase and two Databricks targets, of the sample history."""
    urls = dict(zip(POSTGRES, await databases(len(POSTGRES)), strict=True))
    lakes = [warehouse.target_url(schema=name) for name in schemas]
    everything = {**urls, "edge": lakebase.url(), **dict(zip(LAKES, lakes, strict=True))}
    site = site_for(tmp_path, everything)
    async with site.served() as service:
        told = await site.run("sync", "--json")
        assert (told.code, told.err) == (0, ""), told
        await all_level(service)
        require_one_trail(await service.events(), await service.runs())
        assert (await service.get("/events/verify"))["events"] > 0
    heads = [await version(url) for url in (*urls.values(), lakebase.database)]
    assert heads == heads[:1] * len(heads)
    assert (await site.run("check")).code == 0
    kept = b"".join(file.read_bytes() for file in site.folder.glob("levelhead.db*"))
    assert not [word for word in (TOKEN, *lakebase.workspace.minted) if word.encode() in kept]


def site_for(folder: Path, targets: Mapping[str, str]) -> Site:
    """Write the settings of a service whose clock only looks."""
    sample = copy_sample(folder / "project", "")
    config = sample.root / "alembic.ini"
    return write_site(config, targets, shadow="auto", target='policy = "observe"')


async def all_level(service: Service) -> None:
    """Require that every target stands at head, and is of the kind that it should be."""
    targets = await service.targets()
    assert {name: one["provider"] for name, one in targets.items()} == KINDS
    assert {one["status"] for one in targets.values()} == {"current"}


def require_one_trail(
    events: Sequence[Mapping[str, Any]], runs: Sequence[Mapping[str, Any]]
) -> None:
    """Require that one rollout has a run for each target, and each has its events to the end."""
    assert len({run["rollout"] for run in runs}) == 1
    assert {run["target"]: run["state"] for run in runs} == dict.fromkeys(KINDS, "succeeded")
    plans = {KINDS[run["target"]]: set[str]() for run in runs}
    for run in runs:
        plans[KINDS[run["target"]]].add(run["plan"])
    assert plans["postgresql"] == plans["lakebase"]
    assert len(plans["postgresql"]) == 1
    for target in KINDS:
        kinds = [event["kind"] for event in events if event["target"] == target]
        assert (kinds.count("run.started"), kinds.count("run.succeeded")) == (1, 1), kinds
    skipped = [event for event in events if event["kind"] == "directive.skipped"]
    assert {event["target"] for event in skipped} == set(LAKES), json.dumps(skipped)
