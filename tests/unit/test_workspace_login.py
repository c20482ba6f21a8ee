from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from providers.workspace.login import Login, LoginError, login_of

ORIGIN = "https://dbc.example.com"


def read(user_info: str, **options: str) -> Login:
    """Return how a URL with this before its host says to sign in."""
    parts = urlsplit(f"databricks://{user_info}dbc.example.com")
    return login_of(parts, options, origin=ORIGIN, trusted=None)


@pytest.mark.parametrize(
    ("user_info", "options", "expected"),
    [
        ("token:ge%2Fheim@", {}, {"token": "ge/heim"}),
        ("token:geheim@", {"auth": "pat"}, {"token": "geheim"}),
        ("ab-1:geheim@", {}, {"client": "ab-1", "secret": "geheim", "auth": "oauth-m2m"}),
        (
            "ab-1:geheim@",
            {"auth": "azure-client-secret", "azure_tenant_id": "t1"},
            {"client": "ab-1", "secret": "geheim", "auth": "azure-client-secret", "tenant": "t1"},
        ),
        ("", {}, {}),
        ("", {"profile": "prod"}, {"profile": "prod"}),
        ("", {"auth": "azure-cli"}, {"auth": "azure-cli"}),
    ],
)
def test_ways(user_info: str, options: dict[str, str], expected: dict[str, str]) -> None:
    """A token, a service principal, or whatever Databricks' own tools would find."""
    assert read(user_info, **options) == Login(origin=ORIGIN, **expected)


@pytest.mark.parametrize(
    ("user_info", "options", "words"),
    [
        ("token@", {}, "must begin with databricks://token:TOKEN@HOST"),
        (":geheim@", {}, "must begin with databricks://token:TOKEN@HOST"),
        ("token:geheim@", {"profile": "p"}, "profile cannot be given beside credentials"),
        ("token:geheim@", {"auth": "oauth-m2m"}, "auth does not go with a token"),
        ("", {"auth": "external-browser"}, "auth=external-browser waits for a person"),
        ("ab:geheim@", {"auth": "pat"}, "auth does not go with CLIENT_ID:SECRET"),
    ],
)
def test_refused(user_info: str, options: dict[str, str], words: str) -> None:
    """What contradicts itself is refused, without a word of the secret."""
    with pytest.raises(LoginError, match=words) as caught:
        read(user_info, **options)
    assert "geheim" not in str(caught.value)


def test_hides_secrets() -> None:
    """What may be printed shows neither token nor client secret."""
    assert "geheim" not in repr(read("token:geheim@")) + repr(read("ab:geheim@"))
