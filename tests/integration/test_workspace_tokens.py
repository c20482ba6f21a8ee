"""What is made of whatever the one says who gives tokens, or does not say."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from providers.workspace.login import Login
from providers.workspace.tokens import SignInDeniedError, SignInUnavailableError, Tokens
from tests.support.sign_in import GIVEN, Giver, running_giver

SECRET = "ge/heim +%41'é"  # noqa: S105 - made up


@pytest.fixture
def giver() -> Iterator[Giver]:
    """Give one who gives tokens."""
    with running_giver() as running:
        yield running


@pytest.fixture
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the file of profiles, which is not there yet, where nothing else is set up."""
    for name in os.environ:
        if name.startswith(("DATABRICKS_", "ARM_", "GOOGLE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "databrickscfg"))
    return tmp_path / "databrickscfg"


def login_at(giver: Giver) -> Login:
    """Return how a service principal signs in there."""
    return Login(origin=giver.origin, client="ab-1", secret=SECRET, auth="oauth-m2m")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, b'{"error_code": "RESOURCE_EXHAUSTED", "message": "slow down"}', "application/json"),
        (429, b"slow down", "text/plain"),
        (500, b'{"error": "server_error"}', "application/json"),
        (502, b"<html>bad gateway</html>", "text/html"),
        (503, b'{"error": "temporarily_unavailable"}', "application/json"),
        (200, b"<html>sign in, please</html>", "text/html"),
        (200, b"", "application/json"),
        (200, b"[]", "application/json"),
        (200, b"null", "application/json"),
        (200, b'{"token_type": "Bearer", "expires_in": 3600}', "application/json"),
        (200, GIVEN.replace(b'"token-1"', b"null"), "application/json"),
        (200, GIVEN.replace(b"token-1", rb"a\r\nX-Injected: b"), "application/json"),
        (200, GIVEN.replace(b"3600", b'"soon"'), "application/json"),
        (200, GIVEN.replace(b"3600", b"1e400"), "application/json"),
    ],
)
def test_what_is_no_refusal(giver: Giver, status: int, body: bytes, kind: str) -> None:
    """Who is overburdened, or talks of something else, may give a token another time."""
    giver.says(status, body, kind)
    tokens, login = Tokens(), login_at(giver)
    with pytest.raises(SignInUnavailableError, match=r"^127\.0\.0\.1:\d+ gives no token, and"):
        tokens.headers(login)
    giver.says(200, GIVEN)
    assert tokens.secret(login) == "token-1"


def test_nobody_answers(giver: Giver) -> None:
    """Who never answers holds nobody up for longer than the limit, and is asked once by all."""
    tokens, login = Tokens(limit=1), login_at(giver)
    Tokens().headers(login)  # what has to be imported is then
    giver.let_go.clear()
    with ThreadPoolExecutor(4) as callers:
        for asked in [callers.submit(tokens.headers, login) for _ in range(4)]:
            assert isinstance(asked.exception(), SignInUnavailableError)
            assert "gave a token in time; try again later" in str(asked.exception())
    assert len(giver.asked) == 1 + 1
    giver.let_go.set()
    assert next(filter(None, (given(tokens, login) for _ in range(500)))) == "token-1"


def given(tokens: Tokens, login: Login) -> str | None:
    """Return a token; None where the call that is going on has not ended yet."""
    try:
        return tokens.secret(login)
    except SignInUnavailableError:
        time.sleep(0.01)
        return None


@pytest.mark.parametrize("write", [str, repr, quote_plus, lambda text: quote(text, "")])
def test_an_echo(giver: Giver, write: type[str]) -> None:
    """Whatever a refusal repeats of the secret, in whichever way, is not repeated by us."""
    proof = base64.b64encode(f"ab-1:{SECRET}".encode()).decode()
    said = {"error": "invalid_client", "error_description": f"{write(SECRET)} in Basic {proof}"}
    giver.says(401, json.dumps(said).encode())
    with pytest.raises(SignInDeniedError, match="invalid_client: ") as told:
        Tokens().headers(login_at(giver))
    assert not [each for each in (write(SECRET).strip("'\""), proof) if each in str(told.value)]


def test_an_echo_of_what_a_profile_holds(
    giver: Giver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret that we did not know of before is kept as well."""
    file = tmp_path / "databrickscfg"
    file.write_text(f"[prod]\nclient_id = ab-1\nclient_secret = {SECRET}\n")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(file))
    said = {"error": "invalid_client", "error_description": f"not {SECRET}"}
    giver.says(401, json.dumps(said).encode())
    with pytest.raises(SignInDeniedError, match=r"invalid_client: not \*\*\*"):
        Tokens().headers(Login(origin=giver.origin, profile="prod"))


@pytest.mark.parametrize(
    ("file", "environ", "login", "token"),
    [
        ("[prod]\ntoken = a%b\n", {}, {"profile": "prod"}, "a%b"),
        ("[DEFAULT]\nhost = {origin}/\ntoken = a\n", {}, {}, "a"),
        ("[__settings__]\ndefault_profile = b\n[a]\ntoken = a\n[b]\ntoken = b\n", {}, {}, "b"),
        ("[DEFAULT]\ntoken = a\n", {"DATABRICKS_TOKEN": "b"}, {}, "b"),
        ("[a]\ntoken = a\n", {"DATABRICKS_CONFIG_PROFILE": "a"}, {}, "a"),
        (
            "[a]\nclient_id = a\nclient_secret = b\n",
            {"DATABRICKS_TOKEN": "b"},
            {"profile": "a", "auth": "oauth-m2m"},
            "token-1",
        ),
        (
            "",
            {"DATABRICKS_TOKEN": "b"},
            {"client": "a", "secret": "s", "auth": "oauth-m2m"},
            "token-1",
        ),
    ],
)
def test_what_counts(  # noqa: PLR0917 - a table of four columns
    giver: Giver,
    clean: Path,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    environ: dict[str, str],
    login: dict[str, str],
    token: str,
) -> None:
    """What the URL says counts before variables, and they before the default profile."""
    clean.write_text(file.replace("{origin}", giver.origin))
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert Tokens().secret(Login(origin=giver.origin, **login)) == token


@pytest.mark.parametrize(
    ("file", "environ", "login", "words"),
    [
        (
            "[prod]\ntoken = geheim\n",
            {"DATABRICKS_TOKEN": "geheim2"},
            {"profile": "prod"},
            "DATABRICKS_TOKEN would count instead of profile prod; unset them, or leave",
        ),
        (
            "[prod]\nhost = https://me:geheim@other.example\ntoken = geheim\n",
            {},
            {"profile": "prod"},
            "the token that was found is for other.example; it is not sent elsewhere",
        ),
        (
            "",
            {"DATABRICKS_TOKEN": "geheim", "DATABRICKS_HOST": "other.example"},
            {},
            "the token that was found is for other.example; it is not sent elsewhere",
        ),
        ("[a]\ngeheim\n", {}, {"profile": "a"}, "Source contains parsing errors"),
        ("token = geheim\n", {}, {"profile": "a"}, "File contains no section headers"),
        ("", {"DATABRICKS_TOKEN": "geheim\n"}, {}, "no token of printable ASCII"),
        ("", {"DATABRICKS_TOKEN": "a", "DATABRICKS_CLIENT_ID": "a"}, {}, "more than one auth"),
        ("", {"DATABRICKS_USERNAME": "a", "DATABRICKS_PASSWORD": "geheim"}, {}, "auth=basic is no"),
        ("", {}, {"profile": "a"}, "no credentials in profile a: write token:TOKEN@ before"),
        ("", {}, {"auth": "pta"}, "no credentials for auth=pta: write token:TOKEN@ before"),
        (
            "",
            {},
            {"client": "a", "secret": "geheim", "auth": "azure-client-secret"},
            "auth=azure-client-secret is for workspaces on Azure",
        ),
        ("", {"GOOGLE_CREDENTIALS": '{"geheim": }'}, {"auth": "google-credentials"}, "Expecting"),
    ],
)
def test_what_contradicts_itself(  # noqa: PLR0917 - a table of four columns
    giver: Giver,
    clean: Path,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    environ: dict[str, str],
    login: dict[str, str],
    words: str,
) -> None:
    """Nobody is signed in as somebody else than was meant, nor is a token sent to another host."""
    if file:
        clean.write_text(file)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SignInDeniedError, match=words) as told:
        Tokens().headers(Login(origin=giver.origin, **login))
    assert "geheim" not in str(told.value)
    assert "\n" not in str(told.value)


def test_a_profile_that_changes(
    giver: Giver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a profile's token was not taken, the file is looked at anew: a service goes on."""
    file = tmp_path / "databrickscfg"
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(file))
    tokens, login = Tokens(), Login(origin=giver.origin, profile="prod")
    file.write_text("[prod]\ntoken = first\n")
    assert tokens.secret(login) == "first"
    file.write_text("[prod]\ntoken = second\n")
    tokens.forget(login)
    assert tokens.secret(login) == "second"
