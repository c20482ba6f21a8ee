from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import trustme
from databricks.sql.exc import ServerOperationError
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from urllib3.exceptions import HTTPError

from providers.databricks import address
from providers.databricks.address import connect_arguments
from providers.databricks.history import state_of
from providers.databricks.provider import DatabricksProvider
from providers.databricks.session import DatabricksSession
from providers.databricks.warehouse import Fault, FaultKind, Tls, Warehouse, local_warehouse
from providers.errors import (
    AccessDeniedError,
    ConnectError,
    ConnectionLostError,
    StampConflictError,
    StartingError,
    StatementError,
)
from providers.types import BASE, Outcome, Statement
from providers.workspace.rest import Api
from providers.workspace.tokens import Tokens
from tests.conformance.gate import Gate
from tests.conformance.wire import Peer, listening
from tests.support.warehouse_client import history
from tests.support.warehouse_client import session as opened_beside
from tests.support.warehouse_sessions import refuses, session_on, statuses, target_at
from tests.support.warehouse_targets import moved, url_of

pytest_plugins = ["tests.support.warehouse"]

A1, B2 = frozenset({"a1"}), frozenset({"b2"})
CREATE = Statement("CREATE TABLE t (a INT)", transactional=False)
SOON = timedelta(seconds=1)
PATIENT = timedelta(seconds=20)


@pytest.fixture
def url(warehouse: Warehouse) -> Iterator[str]:
    """Give the URL of a fresh schema; no fault outlives the test."""
    name = f"test_{secrets.token_hex(6)}"
    with opened_beside(warehouse) as cursor:
        cursor.execute(f"CREATE SCHEMA {name}")
    yield url_of(warehouse, "main", name)
    warehouse.control.clear()
    with opened_beside(warehouse) as cursor:
        cursor.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.fixture
async def session(url: str) -> AsyncIterator[DatabricksSession]:
    """Give a session on the fresh schema."""
    async with session_on(url) as opened:
        yield opened


class TestOpening:
    """What can go wrong before there is a session."""

    async def test_unknown_catalog(self, url: str) -> None:
        """A missing catalog is named; it may be created yet."""
        missing = url.replace("catalog=main", "catalog=elsewhere")
        await refuses(missing, ConnectError, 'no catalog "elsewhere" on 127.*create it')

    async def test_unknown_schema(self, url: str) -> None:
        """A missing schema is named, be it the URL's or the target's own."""
        await refuses(f"{url}&schema=gone", ConnectError, 'no schema "gone" on 127.*create it')
        await refuses(url, ConnectError, 'no schema "eu" on 127.*create it', schema="eu")

    async def test_unknown_warehouse(self, url: str) -> None:
        """A wrong path is named."""
        wrong = url.replace("warehouses%2Flocal", "warehouses%2Fother")
        await refuses(wrong, ConnectError, "no warehouse at /sql/1.0/warehouses/other of 127")

    async def test_bad_url(self, url: str) -> None:
        """A URL that cannot be used is AccessDeniedError: trying again cannot help."""
        await refuses(f"{url}&use_sea=1", AccessDeniedError, "its URL cannot be used: option 'use")

    async def test_missing_authority(self, url: str) -> None:
        """A file that the URL names and that does not exist is a matter of configuration."""
        wrong = f"{url}&_tls_trusted_ca_file=/nowhere/ca.pem".replace("http%3A", "https%3A")
        words = "_tls_trusted_ca_file names cannot be read .No such file or directory"
        await refuses(wrong, AccessDeniedError, words)

    async def test_starting(self, warehouse: Warehouse, url: str) -> None:
        """A warehouse that starts for longer than connect_timeout: the error says so."""
        warehouse.control.add(Fault(FaultKind.STOPPED, seconds=60))
        started = time.monotonic()
        await refuses(url, StartingError, "is starting; try again", connect_timeout=SOON)
        assert 1 <= time.monotonic() - started < 50

    async def test_started_in_time(self, warehouse: Warehouse, url: str) -> None:
        """A warehouse that starts within connect_timeout is waited for."""
        warehouse.control.add(Fault(FaultKind.STOPPED, seconds=1))
        async with session_on(url, connect_timeout=PATIENT) as session:
            assert await session.heads() == BASE

    async def test_unavailable(self, warehouse: Warehouse, url: str) -> None:
        """A warehouse that answers 503 for a minute costs connect_timeout, not a minute."""
        warehouse.control.add(Fault(FaultKind.UNAVAILABLE, seconds=60))
        started = time.monotonic()
        words = r"did not open a session in time \(it is RUNNING\); .*try again later"
        await refuses(url, ConnectError, words, connect_timeout=SOON)
        assert 1 <= time.monotonic() - started < 50

    async def test_silence(self, warehouse: Warehouse, url: str) -> None:
        """A server that accepts and says nothing is given up, and its threads end."""

        async def say_nothing(client: Peer) -> None:
            await client.reader.read()

        before = threading.active_count()
        async with listening(say_nothing) as port:
            silent = moved(url, warehouse.port, port)
            await refuses(silent, ConnectError, "did not open a session", connect_timeout=SOON)
            async with asyncio.timeout(5):
                while threading.active_count() > before:  # noqa: ASYNC110 - a thread tells nobody
                    await asyncio.sleep(0.05)

    async def test_no_second_sending(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """A connector that may send a statement twice, as it comes, is refused."""
        own = {name: it for name, it in address._ALWAYS.items() if "v3" not in name}
        monkeypatch.setattr(address, "_ALWAYS", own)
        await refuses(url, AccessDeniedError, r"may send a statement twice; .*levelhead\[databr")

    async def test_closed_afterwards(self, warehouse: Warehouse, url: str) -> None:
        """After the block the session is gone at the warehouse, and says so here."""
        async with session_on(url) as session:
            assert await session.heads() == BASE
        with pytest.raises(ConnectionLostError, match="orders: "):
            await session.heads()
        assert warehouse.token not in repr(vars(session))

    async def test_given_up(self, warehouse: Warehouse, url: str) -> None:
        """A session that opens after the caller has gone is closed."""
        warehouse.control.add(Fault(FaultKind.SLOW, seconds=60, matching="USE"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5), session_on(url, connect_timeout=PATIENT):
                raise AssertionError("it opened")
        assert statuses(warehouse, "USE `main`")[0] == "CANCELED"

    async def test_late(self, warehouse: Warehouse, url: str) -> None:
        """A session that opens when nobody waits for it any more is closed, too."""
        gate = Gate(warehouse.port)

        async def serve(client: Peer) -> None:
            await asyncio.sleep(0.5)
            await gate.serve(client)

        provider = DatabricksProvider()
        async with listening(serve) as port:
            target = target_at(moved(url, warehouse.port, port), connect_timeout=PATIENT)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3), provider.open(target):
                    raise AssertionError("it opened")
            async with asyncio.timeout(5):
                while not any(b"CloseSession" in request for request in gate.asked):  # noqa: ASYNC110 - a driver tells nobody
                    await asyncio.sleep(0.02)
        await provider.aclose()

    async def test_tls(self, tmp_path: Path) -> None:
        """With the authority's certificate everything is reached, the query history too."""
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1")
        certificate, key, trusted = (tmp_path / name for name in ("certificate", "key", "ca"))
        issued.cert_chain_pems[0].write_to_path(certificate)
        issued.private_key_pem.write_to_path(key)
        authority.cert_pem.write_to_path(trusted)
        with local_warehouse(tls=Tls(certificate, key)) as own:
            async with session_on(url_of(own, trusted=trusted)) as session:
                await session.execute(CREATE, ticket="t1")
                assert await session.resolve(CREATE, ticket="t1") is Outcome.APPLIED
            words = r"no TLS session with 127.*certificate\); check _tls_trusted_ca_file"
            await refuses(url_of(own), ConnectError, words)
            stranger = address.address(url_of(own))
            api = Api(stranger.login, Tokens())
            assert await asyncio.to_thread(state_of, api, stranger.warehouse, timeout=5) is None


class TestStatements:
    """What becomes of a statement, whatever happens to it."""

    async def test_receipt(self, warehouse: Warehouse, session: DatabricksSession) -> None:
        """The receipt names the statement as the query history does, where it has its mark."""
        receipt = await session.execute(CREATE, ticket="t-receipt")
        (shown,) = [each for each in history(warehouse) if each["query_id"] == receipt.remote_id]
        assert shown["query_text"] == f"/* levelhead:t-receipt */ {CREATE.sql}"

    async def test_cut_before(self, warehouse: Warehouse, session: DatabricksSession) -> None:
        """Where the connection breaks before the statement runs, nobody guesses that it did not."""
        warehouse.control.add(Fault(FaultKind.CUT_BEFORE, matching="t-before", times=1))
        with pytest.raises(ConnectionLostError, match="orders: the connection broke"):
            await session.execute(CREATE, ticket="t-before")
        assert statuses(warehouse, "t-before") == []
        assert await session.resolve(CREATE, ticket="t-before") is Outcome.UNKNOWN

    async def test_cut_after(self, warehouse: Warehouse, session: DatabricksSession) -> None:
        """Where it breaks after that, the statement was sent once, and the history tells."""
        warehouse.control.add(Fault(FaultKind.CUT_AFTER, matching="t-after", times=1))
        with pytest.raises(ConnectionLostError, match="orders: the connection broke"):
            await session.execute(CREATE, ticket="t-after")
        assert statuses(warehouse, "t-after") == ["FINISHED"]
        assert await session.resolve(CREATE, ticket="t-after") is Outcome.APPLIED

    async def test_unavailable(self, warehouse: Warehouse, session: DatabricksSession) -> None:
        """A 503 says nothing certain about the statement, and it is not sent again."""
        warehouse.control.add(Fault(FaultKind.UNAVAILABLE, matching="t-503", times=1))
        with pytest.raises(ConnectionLostError):
            await session.execute(CREATE, ticket="t-503")
        assert statuses(warehouse, "t-503") == []

    async def test_expired_token(self, warehouse: Warehouse, session: DatabricksSession) -> None:
        """A token that expires in mid-run: the next statement has no effect, for certain."""
        await session.stamp(before=BASE, after=A1)
        warehouse.control.add(Fault(FaultKind.EXPIRED_TOKEN))
        with pytest.raises(AccessDeniedError, match=r"\(Access token expired\); replace"):
            await session.execute(CREATE, ticket="t-expired")
        with pytest.raises(AccessDeniedError, match="orders: Access token expired"):
            await session.heads()
        with pytest.raises(AccessDeniedError):
            await session.stamp(before=A1, after=B2)
        warehouse.control.clear()
        assert await session.heads() == A1
        assert statuses(warehouse, "t-expired") == []

    async def test_expired_while_it_runs(
        self, warehouse: Warehouse, session: DatabricksSession
    ) -> None:
        """A token that expires under a statement leaves it in doubt; later the history tells."""
        warehouse.control.add(Fault(FaultKind.SLOW, seconds=1, matching="t-under", times=1))
        running = asyncio.create_task(session.execute(CREATE, ticket="t-under"))
        await until_status(warehouse, "t-under", "RUNNING")
        warehouse.control.add(Fault(FaultKind.EXPIRED_TOKEN))
        with pytest.raises(ConnectionLostError):
            await running
        warehouse.control.clear()
        await until_status(warehouse, "t-under", "FINISHED")
        assert await session.resolve(CREATE, ticket="t-under") is Outcome.APPLIED

    async def test_session_gone(self, warehouse: Warehouse, session: DatabricksSession) -> None:
        """A warehouse that was restarted knows no session: the statement was not sent."""
        warehouse.control.add(Fault(FaultKind.STOPPED))
        with pytest.raises(ConnectError, match=r"the session is gone .*was not sent"):
            await session.execute(CREATE, ticket="t-gone")
        assert statuses(warehouse, "t-gone") == []

    async def test_cancelled(self, warehouse: Warehouse, session: DatabricksSession) -> None:
        """A caller that gives up ends the statement at the warehouse, and no thread hangs."""
        warehouse.control.add(Fault(FaultKind.SLOW, seconds=60, matching="t-cancel"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await session.execute(CREATE, ticket="t-cancel")
        await until_status(warehouse, "t-cancel", "CANCELED")
        assert await session.heads() == BASE
        assert await session.resolve(CREATE, ticket="t-cancel") is Outcome.ABSENT

    async def test_cancelled_by_others(
        self, warehouse: Warehouse, session: DatabricksSession
    ) -> None:
        """A statement that the warehouse cancels had no effect, and says so."""
        warehouse.control.add(Fault(FaultKind.SLOW, seconds=60, matching="t-other"))
        cursor = await session._connection.send("/* levelhead:t-other */ SELECT 1")
        waiting = asyncio.create_task(session._connection.wait(cursor))
        await until_status(warehouse, "t-other", "RUNNING")
        waiting.cancel()
        await asyncio.wait([waiting])
        with pytest.raises(ServerOperationError, match="OPERATION_CANCELED"):
            await session._connection.wait(cursor)

    async def test_refused(self, session: DatabricksSession) -> None:
        """A refusal names condition and SQLSTATE; data stays out of it."""
        await session.execute(Statement("CREATE TABLE t (a INT NOT NULL)"), ticket="t1")
        with pytest.raises(StatementError) as caught:
            await session.execute(Statement("INSERT INTO t VALUES ('geheim')"), ticket="t2")
        assert caught.value.code == "22018"
        assert "[CAST_INVALID_INPUT] its text may hold data" in str(caught.value)
        assert "geheim" not in str(caught.value)


async def test_a_runner_keeps_to_the_limit_too(url: str) -> None:
    """statement_timeout is set on the sessions of live steps, as it is on ours."""
    provider = DatabricksProvider()
    limited = target_at(url, statement_timeout=timedelta(seconds=1.5))
    support = await provider.runner_support(limited)
    assert support.connect_arguments["session_configuration"] == {"STATEMENT_TIMEOUT": "2"}
    assert (
        "session_configuration"
        not in (await provider.runner_support(target_at(url))).connect_arguments
    )
    await provider.aclose()


class TestResolving:
    """The query history tells, or nobody does."""

    async def test_running(
        self, warehouse: Warehouse, session: DatabricksSession, url: str
    ) -> None:
        """A statement that still runs is RUNNING."""
        warehouse.control.add(Fault(FaultKind.SLOW, seconds=60, matching="t-runs"))
        running = asyncio.create_task(session.execute(CREATE, ticket="t-runs"))
        await until_status(warehouse, "t-runs", "RUNNING")
        async with session_on(url) as other:
            assert await other.resolve(CREATE, ticket="t-runs") is Outcome.RUNNING
        running.cancel()
        await asyncio.wait([running])

    async def test_failed(self, session: DatabricksSession) -> None:
        """A statement that failed is ABSENT."""
        missing = Statement("DROP TABLE missing")
        with pytest.raises(StatementError):
            await session.execute(missing, ticket="t-failed")
        assert await session.resolve(missing, ticket="t-failed") is Outcome.ABSENT

    async def test_failed_after_its_commit(
        self, warehouse: Warehouse, session: DatabricksSession
    ) -> None:
        """A statement of which only what follows on its commit failed is APPLIED."""
        warehouse.control.add(Fault(FaultKind.HOOK_FAILED, matching="t-hook", times=1))
        await session.execute(CREATE, ticket="t-hook")
        assert await session.resolve(CREATE, ticket="t-hook") is Outcome.APPLIED

    async def test_begins_with_the_mark(self, session: DatabricksSession) -> None:
        """Only a statement that begins with the mark counts, not one that quotes it."""
        quoting = Statement("SELECT '/* levelhead:t-quoted */'")
        await session.execute(quoting, ticket="t-quoting")
        assert await session.resolve(quoting, ticket="t-quoted") is Outcome.UNKNOWN

    async def test_no_history(self, session: DatabricksSession) -> None:
        """A history that may not be read is UNKNOWN; one that does not answer is another matter."""
        api = session._api
        stranger = replace(api.login, token="not-it")  # noqa: S106 - made up
        session._api = replace(api, login=stranger)
        assert await session.resolve(CREATE, ticket="t1") is Outcome.UNKNOWN
        session._api = replace(api, login=replace(api.login, origin="http://127.0.0.1:1"))
        with pytest.raises(ConnectionLostError, match="query history gave no answer; try again"):
            await session.resolve(CREATE, ticket="t1")


class TestStamp:
    """Compare and set without a transaction."""

    async def test_one_statement(self, warehouse: Warehouse, session: DatabricksSession) -> None:
        """Moving a head is one statement, so that it happens or does not."""
        await session.stamp(before=BASE, after=A1)
        before = len(statuses(warehouse, session._table))
        await session.stamp(before=A1, after=B2)
        texts = [each["query_text"] for each in history(warehouse)]
        ours = [text.split()[0] for text in texts if session._table in text]
        assert ours[: len(ours) - before] == ["SELECT", "MERGE", "SELECT"]

    async def test_double_row(self, session: DatabricksSession) -> None:
        """A head that is there twice is told, and left to a person: keys are not enforced."""
        await session.stamp(before=BASE, after=A1)
        double = Statement("INSERT INTO alembic_version VALUES ('a1')")
        await session.execute(double, ticket="t1")
        assert await session.heads() == A1
        with pytest.raises(StatementError, match=r"holds a head twice: \['a1', 'a1'\]; delete"):
            await session.stamp(before=A1, after=B2)
        assert await session.heads() == A1

    async def test_moved_in_between(
        self, url: str, session: DatabricksSession, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who writes between the look and the change is not overwritten."""
        await session.stamp(before=BASE, after=A1)
        look = session._rows

        async def look_and_be_late() -> list[str] | None:
            monkeypatch.undo()
            rows = await look()
            async with session_on(url) as other:
                await other.stamp(before=A1, after=B2)
            return rows

        monkeypatch.setattr(session, "_rows", look_and_be_late)
        with pytest.raises(StampConflictError) as caught:
            await session.stamp(before=A1, after=frozenset({"c3"}))
        assert caught.value.found == B2

    async def test_not_kept(
        self, url: str, session: DatabricksSession, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is read back must be what was written."""
        change = session._change

        async def change_in_vain(sql: str) -> int:
            changed = await change(sql)
            async with session_on(url) as other:
                await other.execute(Statement(f"DELETE FROM {session._table}"), ticket="t1")
            return changed

        monkeypatch.setattr(session, "_change", change_in_vain)
        with pytest.raises(StatementError, match=r"did not keep \['a1'\]: it holds \[\]"):
            await session.stamp(before=BASE, after=A1)


def test_engine(warehouse: Warehouse, url: str) -> None:
    """An engine of SQLAlchemy takes the same URL and arguments, and sends nothing twice."""
    engine = create_engine(url, connect_args=connect_arguments(url))
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT current_schema()")) == engine.url.query["schema"]
        warehouse.control.add(Fault(FaultKind.CUT_AFTER, matching="t-engine", times=1))
        with pytest.raises((SQLAlchemyError, HTTPError)):
            connection.execute(text("/* levelhead:t-engine */ CREATE TABLE t (a INT)"))
    engine.dispose()
    assert statuses(warehouse, "t-engine") == ["FINISHED"]


async def test_many_sessions(url: str) -> None:
    """Fifty sessions at once work."""
    provider = DatabricksProvider()
    target = target_at(url, connect_timeout=timedelta(seconds=60))
    async with AsyncExitStack() as stack:
        opened = [stack.enter_async_context(provider.open(target)) for _ in range(50)]
        found = await asyncio.gather(*opened)
        assert await asyncio.gather(*(each.heads() for each in found)) == [BASE] * 50
    await provider.aclose()


async def until_status(warehouse: Warehouse, text: str, status: str) -> None:
    """Wait until the history shows that status for a statement with *text*."""
    async with asyncio.timeout(90):
        while status not in await asyncio.to_thread(statuses, warehouse, text):  # noqa: ASYNC110 - a warehouse tells nobody
            await asyncio.sleep(0.02)
