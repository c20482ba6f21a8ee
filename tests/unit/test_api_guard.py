from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.responses import PlainTextResponse

from api.guard import LONGEST_BODY, Guard, host_name


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost", "localhost"),
        ("LocalHost:8414", "localhost"),
        ("127.0.0.1:8414", "127.0.0.1"),
        ("[::1]:8414", "::1"),
        ("[::1]", "::1"),
        ("::1", "::1"),
        ("localhost:", "localhost:"),
        ("localhost:80:80", "localhost:80:80"),
        ("evil@localhost", "evil@localhost"),
        ("", ""),
    ],
)
def test_host_name(header: str, name: str) -> None:
    """A Host header's name is what stands before the port, and nothing is guessed."""
    assert host_name(header) == name


@pytest.fixture
def client() -> httpx.AsyncClient:
    """A client of an application behind the guard."""
    guard = Guard(PlainTextResponse("in"), hosts=["Levelhead.internal", "::1"], probes=["/healthz"])
    return httpx.AsyncClient(transport=httpx.ASGITransport(guard))


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("http://levelhead.internal/x", 200),
        ("http://LEVELHEAD.internal:8414/x", 200),
        ("http://[::1]:8414/x", 200),
        ("http://evil.example/x", 421),
        ("http://levelhead.internal.evil.example/x", 421),
        ("http://10.0.0.7/healthz", 200),
        ("http://10.0.0.7/healthz/x", 421),
    ],
)
async def test_host_is_checked(client: httpx.AsyncClient, url: str, status: int) -> None:
    """Only our names are answered for, probes apart; the refusal is a problem."""
    answer = await client.get(url)
    assert answer.status_code == status
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == "urn:levelhead:problem:unknown-host"


async def test_long_bodies_are_refused(client: httpx.AsyncClient) -> None:
    """A body that is too long, or of unknown length, is not read."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"x"

    url = "http://levelhead.internal/x"
    assert (await client.post(url, content=b"x" * LONGEST_BODY)).status_code == 200
    assert (await client.post(url, content=b"x" * (LONGEST_BODY + 1))).status_code == 413
    assert (await client.post(url, content=chunks())).status_code == 411
