"""A plan's way from proposal to run, as the people around it see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.cli import Project, Said, until
from tests.support.engine import execute, tables, version
from tests.support.postgres import Databases


@dataclass(frozen=True, slots=True)
class Office:
    """A service, olga who operates, and berta who approves."""

    project: Project
    client: httpx.AsyncClient
    keys: dict[str, str]

    async def run(self, who: str, *arguments: str) -> Said:
        """Run a command as one of them; it goes through the service."""
        return await self.project.run(*arguments, LEVELHEAD_TOKEN=self.keys[who])

    async def post(self, who: str, path: str, **body: str) -> httpx.Response:
        """Ask the API for something as one of them."""
        headers = {"Authorization": f"Bearer {self.keys[who]}"}
        return await self.client.post(path, json=body, headers=headers)

    async def get(self, path: str, **query: str) -> Any:  # noqa: ANN401 - any JSON
        """Read something."""
        answer = await self.client.get(path, params=query)
        assert answer.is_success, answer.text
        return answer.json()

    async def proposed(self, but: str | None = None) -> str:
        """Wait until target eu waits for a plan, and return its digest."""

        async def is_so() -> bool:
            found = (await self.get("/targets/eu"))["awaits"]
            return found not in (None, but)

        await until(is_so)
        return str((await self.get("/targets/eu"))["awaits"])

    async def stands_at(self, revision: str) -> None:
        """Wait until target eu does."""

        async def is_so() -> bool:
            return bool((await self.get("/targets/eu"))["heads"] == [revision])

        await until(is_so)

    async def problem(self) -> str:
        """Return what the status of target eu says."""
        return str((await self.get("/targets/eu"))["problem"])


@pytest.fixture
async def url(databases: Databases) -> str:
    """Give an empty database."""
    (created,) = await databases(1)
    return created


@pytest.fixture
async def office(tmp_path: Path, url: str) -> AsyncIterator[Office]:
    """Serve one target whose plans need an approval, and give everybody a token."""
    project = Project.create(tmp_path, {"eu": url})
    file = tmp_path / "levelhead.toml"
    settings = file.read_text().replace('every = "1h"', 'every = "500ms"')
    settings = settings.replace('shadow = "none"', 'shadow = "auto"')
    file.write_text(settings + '\npolicy = "approve"\n')
    keys = {}
    for name, role in (("olga", "operator"), ("berta", "approver")):
        keys[name] = (await project.run("token", "create", name, "--role", role)).out.strip()
    async with opened(project, keys) as office:
        yield office


@asynccontextmanager
async def opened(project: Project, keys: dict[str, str]) -> AsyncIterator[Office]:
    """Run the service for the block."""
    async with (
        project.serving() as service,
        httpx.AsyncClient(base_url=f"{service.url}/api/v1", trust_env=False, timeout=30) as client,
    ):
        yield Office(project, client, keys)


@pytest.mark.slow
async def test_the_way_of_a_plan(office: Office, url: str) -> None:
    """Proposed, read, rejected, changed, approved, stale, approved again: only that is applied."""
    # The clock finds three revisions pending, and proposes what it would send.
    first = await office.proposed()
    short = first[:12]
    assert await office.problem() == (
        f"eu: plan {short} waits for an approval; see levelhead plan eu"
    )
    assert await tables(url) == set()

    # Berta reads it, in words, as SQL, and over the API: always the same plan.
    read = await office.run("berta", "plan", "eu")
    assert read.code == 0
    assert read.out.splitlines()[:3] == [
        f"plan {first}",
        "app, postgresql: base -> c3, 3 steps, proposed for eu",
        "1. a1  static  1 statement",
    ]
    sql = (await office.run("berta", "plan", "--digest", short, "--sql")).out
    assert "\nBEGIN; -- guard: the version table holds base\nCREATE TABLE t_a1 (id int);\n" in sql
    whole = await office.get(f"/plans/{first}")
    assert [step["blocks"][0]["statements"] for step in whole["plan"]["steps"]] == [
        [f"CREATE TABLE t_{name} (id int)"] for name in ("a1", "b2", "c3")
    ]
    assert (await office.run("berta", "plan", "eu", "--json")).json()["plan"] == whole["plan"]

    # Olga wants it now, but operators approve nothing, and least of all what they ask for.
    asked = await office.run("olga", "sync", "eu")
    assert (asked.code, asked.err) == (5, await office.problem() + "\n")
    refused = await office.post("olga", f"/plans/{first}/approve")
    assert (refused.status_code, refused.headers["content-type"]) == (
        403,
        "application/problem+json",
    )

    # Berta does not like it, and says why; then nobody applies it or proposes it again.
    said = await office.run("berta", "reject", short, "--reason", "c3 is not wanted")
    assert (said.code, said.out) == (0, f"plan {short}: rejected\n")
    rejection = f"eu: plan {short} was rejected by token:berta: c3 is not wanted"
    asked = await office.run("olga", "sync", "eu")
    assert (asked.code, asked.err) == (5, f"{rejection}\n")
    assert await office.problem() == rejection

    # The script changes, so there is another plan. Berta approves that.
    office.project.add_script("c3", "b2", 'op.execute("CREATE TABLE better (id int)")')
    second = await office.proposed(but=first)
    answer = await office.post("berta", f"/plans/{second}/approve", reason="better")
    assert answer.json()["decision"]["actor"] == "token:berta"

    # The clock applies exactly that; run and event name the plan and who approved it.
    await office.stands_at("c3")
    assert await tables(url) == {"t_a1", "t_b2", "better", "alembic_version"}
    (run,) = (await office.get("/runs", state="succeeded"))["items"]
    assert (run["actor"], run["plan"], run["approver"]) == ("clock", second, "token:berta")
    (started,) = (await office.get("/events", kind="run.started"))["items"]
    assert (started["data"]["plan"], started["data"]["approver"]) == (second, "token:berta")
    assert (await office.get("/events/verify"))["verified"]


@pytest.mark.slow
async def test_plans_that_grew_stale(office: Office, url: str) -> None:
    """An approval ends where scripts change before it is used, and where the target moves."""
    first = await office.proposed()
    held = await office.run("olga", "downgrade", "eu", "base")  # so that the clock stays away
    assert held.code == 0
    await office.run("berta", "approve", first)

    # A comment changes no SQL: the approval stands. Another table is another plan.
    file = office.project.root / "migrations" / "versions" / "c3.py"
    file.write_text(f"# the last one\n{file.read_text()}")
    assert (
        (await office.run("berta", "plan", "eu"))
        .out.splitlines()[1]
        .endswith("approved by token:berta")
    )
    office.project.add_script("c3", "b2", 'op.execute("CREATE TABLE better (id int)")')
    await office.run("olga", "release", "eu")
    second = await office.proposed()
    assert await office.problem() == (
        f"eu: approved plan {first[:12]} no longer matches the scripts or the order; "
        f"plan {second[:12]} waits for an approval"
    )

    # It is approved, but somebody has migrated by hand meanwhile.
    await office.run("olga", "downgrade", "eu", "base")
    await office.run("berta", "approve", second)
    await execute(
        url,
        "CREATE TABLE t_a1 (id int); CREATE TABLE alembic_version (version_num varchar(32) "
        "PRIMARY KEY); INSERT INTO alembic_version VALUES ('a1')",
    )
    await office.run("olga", "release", "eu")
    third = await office.proposed()
    assert await office.problem() == (
        f"eu: approved plan {second[:12]} begins at base, the target stands at a1 now; "
        f"plan {third[:12]} waits for an approval"
    )
    assert await version(url) == {"a1"}

    # That one goes through.
    await office.run("berta", "approve", third)
    await office.stands_at("c3")
    decided = (await office.run("berta", "plans", "--state", "approved")).lines()
    assert [words[0] for words in decided] == [each[:12] for each in (third, second, first)]


async def test_mistakes(office: Office) -> None:
    """Each is one line that says what was found."""
    digest = await office.proposed()
    for arguments, code, line in (
        (("approve", "0000"), 4, "there is no plan 0000; see levelhead plans"),
        (("plan",), 2, "expected one of TARGET, --history and --digest; see levelhead plan"),
        (("plan", "eu", "--history", "app"), 2, "expected one of TARGET, --history and --digest"),
        (("plan", "--history", "nope"), 2, "there is no history nope"),
        (("plan", "--history", "app", "--from", "zz"), 4, "history app: there is no revision zz"),
        (("plan", "--history", "app", "--dialect", "x"), 2, "no target of history app is of"),
        (("plan", "nobody"), 2, "nobody"),
    ):
        said = await office.run("berta", *arguments)
        assert (said.code, said.out, len(said.err.splitlines())) == (code, "", 1), said
        assert line in said.err
    answer = await office.post("berta", f"/plans/{digest[:12]}/approve")
    assert (answer.status_code, answer.json()["type"]) == (
        404,
        "urn:levelhead:problem:unknown-plan",
    )


async def test_a_dry_run_sends_nothing(office: Office, url: str) -> None:
    """`sync --dry-run` prints what waits, as it would be sent, and proposes nothing."""
    digest = await office.proposed()
    before = await office.get("/events")
    said = await office.run("olga", "sync", "--dry-run")
    assert said.out.splitlines()[0] == "-- eu: 3 steps"
    assert f"-- plan {digest}" in said.out.splitlines()
    assert said.out.count("CREATE TABLE") == 3
    over_api = (await office.post("olga", "/targets/eu/sync", dry_run="true")).json()
    assert over_api["plan"]["digest"] == digest
    assert await office.get("/events") == before
    assert await tables(url) == set()
