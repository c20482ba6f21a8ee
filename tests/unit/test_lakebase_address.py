from __future__ import annotations

from datetime import UTC, datetime

import pytest

from providers.lakebase.address import Address, AddressError, address
from providers.lakebase.grants import Grant
from providers.lakebase.signed import postgres_url
from providers.workspace.login import Login

HOST = "lakebase://token:geheim@dbc.example.com"
ENDPOINT = "projects/shop/branches/main/endpoints/primary"


def test_instance() -> None:
    """The workspace, the database and the instance are enough; the rest is asked for."""
    assert address(f"{HOST}/orders?instance=eu-1") == Address(
        login=Login(origin="https://dbc.example.com", token="geheim"),  # noqa: S106 - made up
        scheme="postgresql",
        database="orders",
        instance="eu-1",
        endpoint=None,
        role=None,
        host=None,
        port=5432,
        roots=None,
    )


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_ipv6(host: str) -> None:
    """An address of IPv6 stands in brackets where a port follows."""
    grant = Grant(host, "app", "geheim", datetime(2031, 1, 1, tzinfo=UTC))
    place = address(f"{HOST}/orders?instance=eu-1&host={host}")
    assert postgres_url(place, grant) == "postgresql://app:geheim@[::1]:5432/orders"


def test_everything() -> None:
    """What the workspace would tell can be given instead."""
    found = address(
        "lakebase+psycopg://ab:geheim@dbc.example.com:8443/?"
        f"endpoint={ENDPOINT}&role=app&host=ep-1.example.com&port=6432&sslrootcert=/ca.pem"
    )
    assert (found.scheme, found.database) == ("postgresql+psycopg", "databricks_postgres")
    assert (found.endpoint, found.role) == (ENDPOINT, "app")
    assert (found.host, found.port, found.roots) == ("ep-1.example.com", 6432, "/ca.pem")
    assert found.workspace == "dbc.example.com:8443"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"{HOST}/orders", "must name either instance=NAME"),
        (f"{HOST}/orders?instance=a&endpoint={ENDPOINT}", "must name either instance=NAME"),
        (f"{HOST}/orders?instance=../me", "instance must be a name"),
        (
            f"{HOST}/orders?endpoint=projects/x",
            "endpoint must be projects/P/branches/B/endpoints/E",
        ),
        (f"{HOST}/orders?instance=a&sslmode=disable", "certificates are verified, always"),
        (f"{HOST}/orders?instance=a&host=ep-1-pooler.example.com", "without -pooler"),
        (f"{HOST}/orders?instance=a&host=EP-1-POOLER.example.com", "without -pooler"),
        (f"{HOST}/orders?instance=a&host=db:5433", "host must be a name or an address alone"),
        (f"{HOST}/orders?instance=a&host=me:geheim@db", "host must be a name or an address alone"),
        (f"{HOST}/orders?instance=a&host=%2Ftmp", "host must be a name or an address alone"),
        (f"{HOST}/orders?instance=a&host=a,b", "host must be a name or an address alone"),
        (f"{HOST}/orders?endpoint=projects/../branches/../endpoints/x", "endpoint must be"),
        (f"{HOST}/orders?endpoint=projects/a%3Fb/branches/c/endpoints/d", "endpoint must be"),
        ("lakebase://token:geheim@h h/orders?instance=a", "is no name of a host"),
        (f"{HOST}/orders?instance=a&port=geheim", "port must be a number"),
        (f"{HOST}/orders?instance=a&options=x", "option 'options' is not known; choose from"),
        (f"{HOST}:geheim/orders?instance=a", "cannot be read"),
        (f"{HOST}/or@ders?instance=a", "percent-encoded"),
        ("lakebase:///orders?instance=a", "it has no host"),
    ],
)
def test_refused(url: str, words: str) -> None:
    """A URL that cannot be used says why, and shows nothing that could be a secret."""
    with pytest.raises(AddressError, match=words) as caught:
        address(url)
    assert "geheim" not in str(caught.value)
