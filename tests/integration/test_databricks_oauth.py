"""Signing in to a warehouse by OAuth from machine to machine, with tokens that run out in a run."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from providers.databricks.provider import DatabricksProvider
from providers.databricks.warehouse import Warehouse, warehouse_process
from providers.errors import AccessDeniedError, ConnectError, ConnectionLostError
from providers.types import BASE, Outcome, Statement, Target
from providers.workspace.login import Login
from providers.workspace.tokens import SignInDeniedError, SignInUnavailableError, Tokens
from sync.model import RunState
from tests.conformance.gate import Gate, gate
from tests.support.engine import at, opened_runtime, ordered_one, settings_for, status
from tests.support.histories import Scripts
from tests.support.sample import copy_sample
from tests.support.warehouse_client import connected
from tests.support.warehouse_targets import moved

#: Seconds: a token lives for a shorter time than the runs of these tests take.
LIFE = 2

USERS = 'op.create_table("users", sa.Column("id", sa.String(), primary_key=True))'
TWO = f"""
import time
op.add_column("users", sa.Column("first", sa.String()))
time.sleep({LIFE + 1})
op.add_column("users", sa.Column("second", sa.String()))
"""


@pytest.fixture(scope="module")
def warehouse() -> Iterator[Warehouse]:
    """Give a warehouse whose OAuth tokens run out at once."""
    with warehouse_process(token_life=LIFE) as running:
        yield running


@pytest.fixture
def url(warehouse: Warehouse) -> str:
    """Give the URL of an empty schema, signed in as the service principal."""
    name = f"test_{secrets.token_hex(6)}"
    with connected(warehouse) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {name}")
    return warehouse.machine_url("main", name)


def a_target(url: str) -> Target:
    """Return a target."""
    return Target(name="orders", history="app", dialect="databricks", url=url)


async def test_session_outlives_its_token(url: str) -> None:
    """Each request asks for a token anew, so a session goes on when the first has run out."""
    provider = DatabricksProvider()
    async with provider.open(a_target(url)) as session:
        statement = Statement("CREATE TABLE t (a INT)", transactional=False)
        await asyncio.sleep(LIFE + 1)
        await session.execute(statement, ticket="t1")
        await asyncio.sleep(LIFE + 1)
        assert await session.resolve(statement, ticket="t1") is Outcome.APPLIED
        assert await session.heads() == BASE
    await provider.aclose()


async def test_token_that_is_not_renewed(warehouse: Warehouse, url: str) -> None:
    """The warehouse does turn away a token that has run out: what is proven here is needed."""
    token = Tokens().secret(
        Login(
            origin=warehouse.origin,
            client="levelhead-client",
            secret=warehouse.token,
            auth="oauth-m2m",
        )
    )
    kept = url.replace(f"levelhead-client:{warehouse.token}", f"token:{token}")
    provider = DatabricksProvider()
    async with provider.open(a_target(kept)) as session:
        assert await session.heads() == BASE
        await asyncio.sleep(LIFE + 1)
        with pytest.raises((AccessDeniedError, ConnectionLostError)):
            await session.heads()
    await provider.aclose()


@pytest.mark.parametrize("shadow", ["none", "auto"])
async def test_run_outlives_its_token(
    scripts: Scripts, warehouse: Warehouse, url: str, shadow: str
) -> None:
    """A script that runs for longer than a token lives gets the next one over the pipe."""
    scripts.add("a1", USERS)
    scripts.add("a2", TWO + 'op.get_bind().execute(sa.text("SELECT 1 FROM users")).all()')
    async with opened_runtime(settings_for(scripts, [url], shadow=shadow)) as runtime:
        run = await ordered_one(runtime)
        assert (run.state, run.error) == (RunState.SUCCEEDED, None)
        assert (await status(runtime)).heads == at("a2")
    for file in scripts.folder.glob("*.db*"):
        assert warehouse.token.encode() not in file.read_bytes()


async def test_nobody_gives_the_next_token(
    scripts: Scripts, warehouse: Warehouse, url: str
) -> None:
    """Where a script gets no further token, the line is about who gives them; `sync` goes on."""
    scripts.add("a1", USERS)
    scripts.add("a2", TWO)
    async with gate(warehouse.port) as door:
        target = moved(url, warehouse.port, door.port)
        async with opened_runtime(settings_for(scripts, [target])) as runtime:
            going_on = asyncio.create_task(ordered_one(runtime))
            await sent(door, b"first STRING")
            door.refuse("/oidc/v1/token")
            run = await going_on
            assert run.state is not RunState.SUCCEEDED
            assert f":{door.port} gives no token, and does not say" in str(run.error)
            door.refuse("nothing of the sort")
            run = await ordered_one(runtime)
            assert (run.state, run.error) == (RunState.SUCCEEDED, None)


async def sent(door: Gate, text: bytes) -> None:
    """Wait until a statement with *text* has come by."""
    async with asyncio.timeout(60):
        while not any(text in request for request in door.asked):  # noqa: ASYNC110 - the runner is another process
            await asyncio.sleep(0.01)


async def test_hand_run(tmp_path: Path, url: str) -> None:
    """Alembic called by hand signs in as levelhead does."""
    sample = copy_sample(tmp_path / "project", url)
    await sample.run("alembic upgrade head", POSTGRES_PROVIDER="databricks")
    current = await sample.run("alembic current", POSTGRES_PROVIDER="databricks")
    assert "(head)" in current


async def test_runner_gets_no_secret(warehouse: Warehouse, url: str) -> None:
    """What a runner is given holds neither the client's secret nor a token, but asks for one."""
    provider = DatabricksProvider()
    support = await provider.runner_support(a_target(url))
    assert support.url is not None
    assert support.renew is not None
    given = f"{support.url}{dict(support.connect_arguments)}{support!r}"
    assert warehouse.token not in given
    assert await support.renew() != await support.renew() != ""
    await provider.aclose()


async def test_wrong_secret(warehouse: Warehouse, url: str) -> None:
    """A secret that is wrong is told by who gives tokens, and is not repeated."""
    provider = DatabricksProvider()
    wrong = a_target(url.replace(warehouse.token, "geheim"))
    with pytest.raises(
        AccessDeniedError, match=r"^orders: no token for 127.*invalid_client"
    ) as told:
        async with provider.open(wrong):
            raise AssertionError("it opened")
    assert "geheim" not in str(told.value)
    await provider.aclose()


async def test_nobody_gives_tokens(warehouse: Warehouse, url: str) -> None:
    """Where nobody answers, trying again may help."""
    provider = DatabricksProvider()
    away = a_target(moved(url, warehouse.port, 1))
    with pytest.raises(ConnectError, match=r"orders: nobody at 127\.0\.0\.1:1 gives a token now"):
        async with provider.open(away):
            raise AssertionError("it opened")
    await provider.aclose()


def test_profile(warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials in the URL, a profile of Databricks' own tools signs in."""
    file = tmp_path / "databrickscfg"
    file.write_text(f"[prod]\nhost = {warehouse.origin}\ntoken = {warehouse.token}\n")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(file))
    assert Tokens().secret(Login(origin=warehouse.origin, profile="prod")) == warehouse.token


def test_environment(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a profile either, the variables of Databricks' own tools do."""
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", "levelhead-client")
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", warehouse.token)
    assert len(Tokens().secret(Login(origin=warehouse.origin))) > len("dapi")


@pytest.mark.parametrize("login", [{}, {"profile": "nobody"}, {"auth": "azure-cli"}])
def test_nothing_is_set_up(
    warehouse: Warehouse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    login: dict[str, str],
) -> None:
    """Where nothing is set up that could sign in, one line says so."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SignInDeniedError, match=r"^no token for 127\.0\.0\.1") as told:
        Tokens().secret(Login(origin=warehouse.origin, **login))
    assert "\n" not in str(told.value)


def test_unreachable() -> None:
    """An address where nobody listens is worth another try."""
    login = Login(origin="http://127.0.0.1:1", client="a", secret="geheim", auth="oauth-m2m")  # noqa: S106 - made up
    with pytest.raises(SignInUnavailableError):
        Tokens().secret(login)
