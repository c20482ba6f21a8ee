"""From arguments to an exit code: whatever fails is a line on stderr, never a traceback."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer

from providers.errors import ConfigError, ConnectError, LevelheadError
from sync.cli.commands import app
from sync.cli.dispatch import describe, main
from sync.cli.failures import (
    RefusedError,
    code_of_name,
    code_of_problem,
    exit_codes,
    worst,
)
from sync.cli.service import find_token, refusal
from sync.errors import ChainBrokenError, TargetHeldError

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"
HEAVY = {
    *("sqlalchemy", "fastapi", "asyncpg", "httpx", "pydantic", "rich", "uvicorn", "alembic"),
    *("databricks", "duckdb", "sqlglot"),
}


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run a command in this process; return its exit code, stdout and stderr."""
    code = main(arguments, {})
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("status", "caf\udce9"), "'caf\\udce9' is not valid UTF-8; see levelhead --help"),
        (("nope",), "no such command 'nope'; see levelhead --help"),
        (("status", "--nope"), "no such option: --nope; see levelhead status --help"),
        (("status", "--label", "x"), "expected key=value, found 'x'"),
        (("downgrade", "eu"), "expected one revision"),
        (("downgrade", "eu", "-1", "--to", "a1"), "expected one revision"),
        (("downgrade", "eu", "--jsn"), "no such option: --jsn"),
        (("events", "--since", "soon"), "expected an age"),
        (("runs", "--limit", "0"), "'--limit'"),
        (("serve", "--port", "70000"), "'--port'"),
    ],
)
def test_usage_errors(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], complaint: str
) -> None:
    """A mistake in the arguments is one line that says where to read on, and exit code 2."""
    code, out, err = said(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("levelhead: ")
    assert complaint in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "written",
    [("-1",), ("--", "-1"), ("--to=-1",), ("--to", "-1"), ("-1", "--json"), ("--json", "-1")],
)
def test_relative_revisions_parse(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    written: tuple[str, ...],
) -> None:
    """Steps back may be written as Alembic takes them: the command goes on to its settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LEVELHEAD_CONFIG", raising=False)
    code, _, err = said(capsys, "downgrade", "eu", *written)
    assert (code, "levelhead.toml" in err) == (2, True)


def test_no_command_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    """The bare command shows what there is."""
    code, out, err = said(capsys)
    assert (code, err) == (0, "")
    assert "downgrade" in out


@pytest.mark.parametrize(
    ("error", "lines", "code"),
    [
        (ConfigError("a is wrong\nb is wrong"), ["a is wrong", "b is wrong"], 2),
        (ConnectError("host down", target="eu"), ["eu: host down"], 3),
        (TargetHeldError("eu: on hold"), ["eu: on hold"], 5),
        (ChainBrokenError("gone", sequence=3), ["audit log broken at event 3: gone"], 6),
        (RefusedError("no", exit_code=4), ["no"], 4),
        (ExceptionGroup("many", [ExceptionGroup("more", [ConfigError("deep")])]), ["deep"], 2),
        (KeyboardInterrupt(), ["interrupted"], 130),
        (typer.Abort(), ["interrupted"], 130),
    ],
)
def test_errors_become_lines(error: BaseException, lines: list[str], code: int) -> None:
    """Each error has its lines and its exit code; a group speaks through its first member."""
    found, found_code = describe(error)
    assert (list(found), found_code) == (lines, code)


def test_an_interrupt_is_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C before a command has said anything is told too."""

    def pressed(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sync.cli.commands.running.settings_of", pressed)
    assert said(capsys, "serve") == (130, "", "levelhead: interrupted\n")


def test_an_unexpected_error_keeps_its_text() -> None:
    """Of an exception that is not ours only the class is shown: its text may hold a secret."""
    (line,), code = describe(ValueError("postgresql://u:secret@h/d"))
    assert "ValueError" in line
    assert "secret" not in line
    assert code == 70


def test_debug_shows_the_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """LEVELHEAD_DEBUG=1 adds the traceback that is hidden without it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LEVELHEAD_CONFIG", raising=False)
    for environ, shown in (({}, False), ({"LEVELHEAD_DEBUG": "1"}, True)):
        assert main(["status"], environ) == 2
        assert ("Traceback" in capsys.readouterr().err) is shown


def test_exit_codes_by_name() -> None:
    """Events and problems name errors; the name gives the exit code of the class."""
    assert code_of_name("ConnectError") == 3
    assert code_of_name("ScriptError") == 4
    assert code_of_name("TargetHeldError") == 5
    assert code_of_name("ValueError") == code_of_name(None) == 5
    assert code_of_problem("urn:levelhead:problem:unknown-target") == 2
    assert code_of_problem("urn:levelhead:problem:unknown-revision") == 4
    assert code_of_problem("about:blank") == LevelheadError.exit_code


def test_the_worst_code_stands_for_all() -> None:
    """Several failures end with the highest code, none with 0."""
    assert worst([3, 5, 4]) == 5
    assert worst([]) == 0


@pytest.mark.parametrize(
    ("status", "problem", "text", "code"),
    [
        (
            404,
            {"type": "urn:levelhead:problem:unknown-target", "title": "Unknown target"},
            "Unknown target",
            2,
        ),
        (
            409,
            {"type": "urn:levelhead:problem:target-held", "title": "x", "detail": "eu: held"},
            "eu: held",
            5,
        ),
        (
            401,
            {"type": "about:blank", "title": "Unauthorized", "detail": "the token is unknown"},
            "the token is unknown; set LEVELHEAD_TOKEN to a token of this service",
            2,
        ),
        (
            403,
            {"type": "about:blank", "title": "Forbidden", "detail": "this needs a role"},
            "this needs a role",
            2,
        ),
        (
            422,
            {
                "type": "urn:levelhead:problem:invalid-request",
                "title": "x",
                "detail": "see errors",
                "errors": [{"where": "body.to", "what": "too long"}],
            },
            "body.to: too long",
            2,
        ),
    ],
)
def test_problems_become_lines(
    status: int, problem: Mapping[str, object], text: str, code: int
) -> None:
    """A problem of the service becomes its detail and the exit code of the error it names."""
    error = refusal(httpx.Response(status, json={"status": status, **problem}))
    assert (str(error), error.exit_code) == (text, code)


def test_an_answer_that_is_no_problem() -> None:
    """What something else answers on that port is not repeated, only its status."""
    error = refusal(httpx.Response(502, text="<html>secret</html>"))
    assert (str(error), error.exit_code) == ("HTTP 502 Bad Gateway", 1)


def test_where_a_token_comes_from(tmp_path: Path) -> None:
    """The environment's token comes before the file's; without both the line says what to do."""
    file = tmp_path / "levelhead.token"
    with pytest.raises(ConfigError, match="set LEVELHEAD_TOKEN"):
        find_token(file, {})
    file.write_text("lh_file\n")
    assert find_token(file, {}) == "lh_file"
    assert find_token(file, {"LEVELHEAD_TOKEN": "lh_own"}) == "lh_own"


def test_the_reference_is_complete() -> None:
    """Every command, option and exit code stands in docs/reference/cli.md."""
    text = REFERENCE.read_text()
    wanted = {str(code) for code in {*exit_codes().values(), 70, 130}}
    wanted |= {word for line in spellings("", typer.main.get_command(app)) for word in line}
    assert not {word for word in wanted if word not in text}


def spellings(name: str, command: Any) -> Iterator[set[str]]:  # noqa: ANN401 - typer keeps its class to itself
    """Yield the name and the long options of *command* and of each command below it."""
    options = {spelled for each in command.params for spelled in each.opts}
    yield {name, *(spelled for spelled in options if spelled.startswith("--"))}
    for below, each in getattr(command, "commands", {}).items():
        yield from spellings(f"{name} {below}".strip(), each)


def test_help_imports_nothing_heavy() -> None:
    """Starting the command imports no database, web or JSON machinery."""
    code = "import json, sys, sync.cli.dispatch; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert not HEAVY & set(json.loads(done.stdout))


async def test_a_reader_that_leaves() -> None:
    """A pipe that closes early, as `| head -1` does, ends the command without a word."""
    command = f"{sys.executable} -c 'from sync.cli.main import run; run()' --help | head -c 1"
    process = await asyncio.create_subprocess_shell(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    _, err = await process.communicate()
    assert err == b""
