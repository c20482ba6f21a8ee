from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from providers.errors import AccessDeniedError, ConnectError, ProviderError, StartingError
from providers.lakebase.provider import LakebaseProvider
from providers.types import BASE, Target
from tests.conformance.pooler import pooler
from tests.conformance.proxy import proxy
from tests.support import lakebase_stand
from tests.support.lakebase import ENDPOINT, Authority, Workspace, authority
from tests.support.lakebase_stand import TOKEN, lakebase, trusted

__all__ = ["lakebase", "trusted"]


@dataclass
class Clock:
    """A clock that a test moves."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        """Return what it shows."""
        return datetime.now(UTC) + self.ahead


@dataclass
class Stand:
    """A provider with a clock, and what it opens sessions on."""

    provider: LakebaseProvider
    lakebase: lakebase_stand.Stand
    clock: Clock

    @property
    def workspace(self) -> Workspace:
        """What mints."""
        return self.lakebase.workspace

    @property
    def role(self) -> str:
        """For whom it mints."""
        return self.workspace.identities[TOKEN]

    def target(self, *, token: str = TOKEN, port: int | None = None, **options: str) -> Target:
        """Return a target; see `lakebase_stand.Stand.url`."""
        url = self.lakebase.url(token=token, port=port, **options)
        return Target(
            name="orders", history="app", dialect="postgresql", provider="lakebase", url=url
        )

    async def opens(self, target: Target | None = None) -> None:
        """Open a session and look."""
        async with self.provider.open(target or self.target()) as session:
            assert await session.heads() == BASE

    async def fails(self, kind: type[ProviderError], words: str, target: Target) -> None:
        """Fail to open a session, without a word that is secret."""
        with pytest.raises(kind, match=words) as caught:
            await self.opens(target)
        assert type(caught.value) is kind
        secret = {TOKEN, "secret words", *self.workspace.minted}
        assert not [word for word in secret if word in str(caught.value)]


@pytest.fixture
async def stand(lakebase: lakebase_stand.Stand) -> AsyncIterator[Stand]:
    """Give a provider whose clock can be moved."""
    clock = Clock()
    provider = LakebaseProvider(clock)
    yield Stand(provider, lakebase, clock)
    await provider.aclose()


async def test_provisioned_and_autoscaling(stand: Stand) -> None:
    """Both kinds are asked at their own address for host and credential."""
    await stand.opens(stand.target())
    await stand.opens(stand.target(endpoint=ENDPOINT))
    assert [path for path in stand.workspace.asked if "scim" not in path] == [
        "/api/2.0/database/instances/orders-db",
        "/api/2.0/database/credentials",
        f"/api/2.0/postgres/{ENDPOINT}",
        "/api/2.0/postgres/credentials",
    ]


async def test_given_host_and_role(stand: Stand) -> None:
    """What the URL says is not asked for."""
    await stand.opens(stand.target(host="localhost", role=stand.role))
    assert stand.workspace.asked == ["/api/2.0/database/credentials"]


async def test_one_mint_for_many(stand: Stand) -> None:
    """Sessions that open at the same time, and those that follow, share one credential."""
    await asyncio.gather(*(stand.opens() for _ in range(5)))
    await stand.opens()
    assert len(stand.workspace.minted) == 1


async def test_minted_before_it_runs_out(stand: Stand) -> None:
    """A credential is replaced two minutes before it runs out, not when a login has failed."""
    await stand.opens()
    stand.clock.ahead = timedelta(minutes=57)
    await stand.opens()
    assert len(stand.workspace.minted) == 1
    stand.clock.ahead = timedelta(minutes=58, seconds=1)
    await stand.opens()
    assert len(stand.workspace.minted) == 2


async def test_short_life(stand: Stand) -> None:
    """Of a credential that lives for less than the margin, half the life is used."""
    stand.workspace.life = timedelta(seconds=30)
    await stand.opens()
    await stand.opens()
    assert len(stand.workspace.minted) == 1
    stand.clock.ahead = timedelta(seconds=16)
    await stand.opens()
    assert len(stand.workspace.minted) == 2


async def test_replaced_by_somebody_else(stand: Stand) -> None:
    """Where a login with an earlier credential is refused, a new one is minted, once."""
    await stand.opens()
    await stand.lakebase.beside(f"ALTER ROLE {stand.role} PASSWORD 'of-somebody-else'")
    await stand.opens()
    assert len(stand.workspace.minted) == 2


async def test_run_out_at_the_server(stand: Stand) -> None:
    """A credential that the server takes no more, whatever our clock says, is minted anew."""
    await stand.opens()
    await stand.lakebase.beside(f"ALTER ROLE {stand.role} VALID UNTIL '2001-01-01'")
    await stand.opens()
    assert len(stand.workspace.minted) == 2


async def test_session_outlives_its_credential(stand: Stand) -> None:
    """A credential counts at login; a session goes on when it has run out."""
    async with stand.provider.open(stand.target()) as session:
        await stand.lakebase.beside(f"ALTER ROLE {stand.role} VALID UNTIL '2001-01-01'")
        assert await session.heads() == BASE


async def test_wrong_role(stand: Stand) -> None:
    """A role that nothing is minted for is named, and asked for once."""
    words = 'localhost does not let role "nobody" in with what localhost:.* minted; check that'
    await stand.fails(AccessDeniedError, words, stand.target(role="nobody"))
    assert len(stand.workspace.minted) == 1


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (400, ConnectError, "does not know what is asked of instance orders-db .400 SOME_CODE"),
        (401, AccessDeniedError, "wrong token for localhost:.* .401 SOME_CODE.; it may have exp"),
        (403, AccessDeniedError, "mints no credential for instance orders-db .*; grant its use"),
        (404, ConnectError, "there is no instance orders-db at localhost:.*; create it"),
        (418, ConnectError, "answered 418 SOME_CODE, which its API does not; check the host"),
        (429, ConnectError, "answered 429 SOME_CODE; try again later"),
        (500, ConnectError, "answered 500 SOME_CODE; try again later"),
        (503, ConnectError, "answered 503 SOME_CODE; try again later"),
    ],
)
async def test_refusals(stand: Stand, status: int, kind: type[ProviderError], words: str) -> None:
    """What the workspace says is told with what to do; its own words are left out."""
    stand.workspace.refusals = [(status, "SOME_CODE")]
    await stand.fails(kind, words, stand.target())
    await stand.opens()


@pytest.mark.parametrize(
    "answer",
    [
        b"[]",
        b"null",
        b'"yes"',
        b"{}",
        b"<html>",
        b"",
        b'{"read_write_dns": "localhost", "state": 5}',
    ],
)
async def test_answers_that_make_no_sense(stand: Stand, answer: bytes) -> None:
    """Whatever it is that answers, if it is not the API, the line says so."""
    stand.workspace.odd_answers = [answer]
    words = "^orders: localhost:.* answered what its API does not; check the host"
    await stand.fails(ConnectError, words, stand.target())


@pytest.mark.parametrize(
    "answer",
    [
        b"[]",
        b'{"token": "a"}',
        b'{"token": "a", "expiration_time": "soon"}',
        b'{"token": "a", "expiration_time": 5}',
        b'{"token": "a", "expiration_time": "2031-01-01T00:00:00"}',
        b'{"token": null, "expiration_time": "2031-01-01T00:00:00Z"}',
        b'{"token": "", "expiration_time": "2031-01-01T00:00:00Z"}',
    ],
)
async def test_credentials_that_make_no_sense(stand: Stand, answer: bytes) -> None:
    """What is no credential with an end is told, and not logged in with."""
    stand.workspace.odd_answers = [answer]
    target = stand.target(host="localhost", role=stand.role)
    await stand.fails(ConnectError, "answered what its API does not; check the host", target)


async def test_answers_that_never_end(stand: Stand) -> None:
    """A workspace that says one character after the other holds nobody up, either."""
    stand.workspace.pause = 0.2
    target = replace(stand.target(), connect_timeout=timedelta(seconds=0.5))
    await stand.fails(ConnectError, "gave no answer in time; check the network", target)


async def test_wrong_workspace_token(stand: Stand) -> None:
    """A token that the workspace does not take is no reason to try again."""
    words = "^orders: wrong token for localhost"
    await stand.fails(AccessDeniedError, words, stand.target(token="not-it"))  # noqa: S106 - made up


@pytest.mark.parametrize(
    ("state", "kind", "words"),
    [
        ("STARTING", StartingError, "instance orders-db is starting; try again shortly"),
        ("FAILING_OVER", StartingError, "instance orders-db is starting; try again shortly"),
        ("STOPPED", ConnectError, "instance orders-db is stopped; start it first"),
        ("DELETING", ConnectError, "instance orders-db is deleting; name another one in the URL"),
        ("NEW_WORD", ConnectError, "instance orders-db is new_word; look at it in the workspace"),
    ],
)
async def test_instance_that_is_not_there(
    stand: Stand, state: str, kind: type[ProviderError], words: str
) -> None:
    """An instance that starts is waited for; one that is stopped is not."""
    stand.workspace.state = state
    await stand.fails(kind, words, stand.target())


async def test_endpoint_without_a_host_yet(stand: Stand) -> None:
    """An endpoint that is being made has no host: it is waited for."""
    stand.workspace.odd_answers = [b'{"status": {"current_state": "INIT"}}']
    words = f"endpoint {ENDPOINT} is starting; try again shortly"
    await stand.fails(StartingError, words, stand.target(endpoint=ENDPOINT))


async def test_unknown_authority(stand: Stand, tmp_path: Path) -> None:
    """Certificates of workspace and database are verified, each by its own authority."""
    (tmp_path / "other").mkdir()
    other = authority(tmp_path / "other", "localhost")
    words = "no TLS session with localhost:.*; check _tls_trusted_ca_file"
    await stand.fails(ConnectError, words, stand.target(_tls_trusted_ca_file=str(other.file)))
    words = "the certificate of localhost:.* cannot be verified"
    await stand.fails(ConnectError, words, stand.target(sslrootcert=str(other.file)))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Path.mkdir, "names cannot be read .Is a directory."),
        (Path.touch, "names holds no certificates in PEM form"),
        (Path.exists, "names cannot be read .No such file or directory."),
    ],
)
async def test_authorities_that_are_none(
    stand: Stand, tmp_path: Path, make: Callable[[Path], object], words: str
) -> None:
    """Where there are no authorities to trust, the line is about the file, not the network."""
    make(file := tmp_path / "odd.pem")
    words = f"^orders: the file that _tls_trusted_ca_file {words}"
    await stand.fails(ConnectError, words, stand.target(_tls_trusted_ca_file=str(file)))


async def test_other_host_name(stand: Stand) -> None:
    """A certificate for another name is not taken, although its authority is known."""
    words = "the certificate of 127.0.0.1:.* cannot be verified"
    await stand.fails(ConnectError, words, stand.target(host="127.0.0.1"))


async def test_server_without_tls(stand: Stand) -> None:
    """A server that turns TLS down is turned down: the credential is not sent in the clear."""
    async with proxy(stand.lakebase.database) as plain:
        target = stand.target(port=urlsplit(plain.url).port)
        await stand.fails(ConnectError, "localhost:.* broke the connection off at sign-on", target)


async def test_pooler(stand: Stand, trusted: Authority) -> None:
    """A transaction-mode pooler is refused, whatever its name."""
    async with pooler(stand.lakebase.database, size=2, tls=trusted.tls) as shared:
        target = stand.target(port=urlsplit(shared).port)
        await stand.fails(AccessDeniedError, "is a transaction-mode pooler", target)


async def test_what_a_runner_gets(stand: Stand) -> None:
    """A runner gets a URL that logs in, TLS as variables, and nothing that can be printed."""
    support = await stand.provider.runner_support(stand.target())
    (minted,) = stand.workspace.minted
    assert support.url is not None
    assert minted in support.url
    assert support.secrets == {minted}
    assert support.environment["PGSSLMODE"] == "verify-full"
    assert minted not in repr(support)
    assert TOKEN not in support.url


async def test_bad_url(stand: Stand) -> None:
    """A URL that cannot be used says why."""
    target = replace(stand.target(), url=f"lakebase://token:{TOKEN}@localhost/orders")
    words = "its URL cannot be used: it must name either instance=NAME"
    await stand.fails(AccessDeniedError, words, target)
