from __future__ import annotations

import pytest

from providers.postgres.address import Address, address, asyncpg_url, on_database


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("postgresql://u:p@h/d", "postgresql://u:p@h/d"),
        ("postgresql+asyncpg://u:p@h/d", "postgresql://u:p@h/d"),
        ("postgresql+psycopg2://u:p+q@h:1/d", "postgresql://u:p+q@h:1/d"),
        ("postgresql://h/d?ssl=require", "postgresql://h/d?sslmode=require"),
        ("postgresql://h/d?sslmode=a&channel_binding=b", "postgresql://h/d?sslmode=a"),
        ("postgresql://h/d?prepared_statement_cache_size=0&a=b%20c", "postgresql://h/d?a=b+c"),
    ],
)
def test_asyncpg_url(given: str, expected: str) -> None:
    """SQLAlchemy's driver goes, and so do options that the server would not know."""
    assert asyncpg_url(given) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:secret@h:5433/d", Address("u", "h:5433", "d")),
        ("postgresql://a%40b:secret@h/d%20e", Address("a@b", "h", "d e")),
        ("postgresql://u:p@ss@h/d", Address("u", "h", "d")),
        ("postgresql:///d?host=/run/pg&user=u", Address("u", "/run/pg", "d")),
        ("postgresql://", Address("(default)", "(default)", "(default)")),
    ],
)
def test_address(url: str, expected: Address) -> None:
    """User, server and database may be shown; the password is no part of them."""
    assert address(url) == expected


@pytest.mark.parametrize("character", ["/", "?", "#"])
def test_password_that_is_not_encoded(character: str) -> None:
    """Where it cannot be told what is the password, nothing is shown at all."""
    with pytest.raises(ValueError, match="percent-encoded"):
        address(f"postgresql://u:sec{character}ret@h/d")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("postgresql://u:p@h:1/d", "postgresql+psycopg://u:p@h:1/new%20one"),
        ("postgresql+asyncpg://u:p@h/d?ssl=true", "postgresql+asyncpg://u:p@h/new%20one?ssl=true"),
        ("postgresql://h", "postgresql+psycopg://h/new%20one"),
        ("postgresql:///d?host=/pg&dbname=x", "postgresql+psycopg:///new%20one?host=%2Fpg"),
    ],
)
def test_on_database(given: str, expected: str) -> None:
    """Only the database differs; a driver that the URL does not name is taken from elsewhere."""
    assert on_database(given, "new one", "postgresql+psycopg") == expected
