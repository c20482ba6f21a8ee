"""Runs on Lakebase: plans, live steps, shadows, and what is written down."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from providers.types import BASE
from sync.model import RunState, Selection, Status
from tests.conformance.pooler import pooler
from tests.support.engine import (
    at,
    events,
    opened_runtime,
    ordered,
    ordered_one,
    settings_for,
    tables,
    version,
)
from tests.support.histories import ASYNC_ENV, Scripts
from tests.support.lakebase import ENDPOINT, Authority, authority
from tests.support.lakebase_stand import TOKEN, Stand, lakebase, trusted
from tests.support.postgres import Databases
from tests.support.sample import copy_sample

__all__ = ["lakebase", "trusted"]

READS = 'op.get_bind().execute(sa.text("SELECT count(*) FROM users")).scalar()\n'


def nothing_secret(folder: Path, stand: Stand) -> None:
    """Require that no file of the service's holds what was minted, or what minted it."""
    files = list(folder.glob("*.db*"))
    assert files
    for file in files:
        content = file.read_bytes()
        assert not [word for word in (TOKEN, *stand.workspace.minted) if word.encode() in content]


async def test_one_plan_for_postgres_and_lakebase(
    scripts: Scripts, databases: Databases, lakebase: Stand
) -> None:
    """A Postgres and a Lakebase target of one history are brought to head by one plan."""
    (plain,) = await databases(1)
    scripts.add("r1", 'op.execute("CREATE TABLE users (id INT)")')
    scripts.add("r2", 'op.execute("CREATE TABLE orders (id INT)")')
    settings = settings_for(scripts, [plain, lakebase.url()], shadow="auto")
    async with opened_runtime(settings) as runtime:
        first, second = await ordered(runtime)
        assert {first.state, second.state} == {RunState.SUCCEEDED}
        assert first.plan == second.plan is not None
        assert len(await events(runtime, kind="plan.compiled")) == 1
        statuses = await runtime.check(Selection())
        assert [(one.provider, one.status) for one in statuses] == [
            ("postgresql", Status.CURRENT),
            ("lakebase", Status.CURRENT),
        ]
    assert await version(lakebase.database) == {"r2"}
    nothing_secret(scripts.folder, lakebase)


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2", "asyncpg"])
async def test_live_steps(scripts: Scripts, lakebase: Stand, driver: str) -> None:
    """A runner logs in with what was minted, by TLS, whatever driver its env.py uses."""
    if driver == "asyncpg":
        scripts.write_env(ASYNC_ENV)
    scripts.add("r1", 'op.execute("CREATE TABLE users (id INT)")')
    scripts.add("r2", READS)
    settings = settings_for(scripts, [lakebase.url()], history=f'driver = "{driver}"')
    async with opened_runtime(settings) as runtime:
        run = await ordered_one(runtime)
        assert run.state is RunState.SUCCEEDED, run.error
    assert await tables(lakebase.database) == {"users", "alembic_version"}
    nothing_secret(scripts.folder, lakebase)


@pytest.mark.parametrize("resource", ["instance", "endpoint"])
async def test_hand_run(tmp_path: Path, lakebase: Stand, resource: str) -> None:
    """Alembic called by hand logs in with what was minted for it, each time anew."""
    urls = {"instance": lakebase.url(), "endpoint": lakebase.url(endpoint=ENDPOINT)}
    sample = copy_sample(tmp_path / "project", urls[resource])
    said = await sample.run("alembic upgrade head 2>&1", POSTGRES_PROVIDER="lakebase")
    said += await sample.run("alembic current 2>&1", POSTGRES_PROVIDER="lakebase")
    assert "(head)" in said
    assert "users" in await tables(lakebase.database)
    assert len(lakebase.workspace.minted) == 2
    assert not [word for word in (TOKEN, *lakebase.workspace.minted) if word in said]


async def test_hand_run_without_trust(tmp_path: Path, lakebase: Stand) -> None:
    """A server whose certificate nobody knows gets no credential by hand either."""
    (tmp_path / "other").mkdir()
    other = authority(tmp_path / "other", "localhost")
    url = lakebase.url(sslrootcert=str(other.file))
    sample = copy_sample(tmp_path / "project", url)
    outcome = await sample.attempt("alembic current", POSTGRES_PROVIDER="lakebase")
    assert outcome.code != 0
    assert outcome.out.startswith("FAILED: cannot use lakebase: lakebase: the certificate of local")
    assert len(outcome.out.splitlines()) == 1
    assert "Traceback" not in outcome.err


async def test_hand_run_through_the_pooler(
    tmp_path: Path, lakebase: Stand, trusted: Authority
) -> None:
    """By hand a pooler of transactions is refused too, in one line."""
    async with pooler(lakebase.database, size=2, tls=trusted.tls) as shared:
        url = lakebase.url(port=urlsplit(shared).port)
        sample = copy_sample(tmp_path / "project", url)
        outcome = await sample.attempt("alembic upgrade head", POSTGRES_PROVIDER="lakebase")
    assert outcome.code != 0
    assert "transaction-mode pooler" in outcome.out
    assert len(outcome.out.splitlines()) == 1
    assert await tables(lakebase.database) == set()


async def test_failed_script_tells_no_credential(scripts: Scripts, lakebase: Stand) -> None:
    """A script that shouts its URL is heard without the credential in it."""
    scripts.add(
        "r1", "raise RuntimeError(op.get_context().config.get_main_option('sqlalchemy.url'))"
    )
    async with opened_runtime(settings_for(scripts, [lakebase.url()])) as runtime:
        run = await ordered_one(runtime)
        assert run.state is RunState.FAILED
        assert "***" in str(run.error)
    nothing_secret(scripts.folder, lakebase)


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2", "asyncpg"])
async def test_shadow_on_the_target(scripts: Scripts, lakebase: Stand, driver: str) -> None:
    """Where shadows are made on the target's own server, they are reached as the target is."""
    if driver == "asyncpg":
        scripts.write_env(ASYNC_ENV)
    await lakebase.beside(f"ALTER ROLE {lakebase.workspace.identities[TOKEN]} CREATEDB")
    scripts.add("r1", 'op.execute("CREATE TABLE users (id INT)")')
    history = f'driver = "{driver}"'
    settings = settings_for(scripts, [lakebase.url()], shadow="target", history=history)
    async with opened_runtime(settings) as runtime:
        run = await ordered_one(runtime)
        assert run.state is RunState.SUCCEEDED, run.error
        (compiled,) = await events(runtime, kind="plan.compiled")
        assert compiled.data["live"] == 0
    assert run.before == BASE
    assert run.after == at("r1")
