"""`levelhead demo`, started as a newcomer starts it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.extras import ran_without

LEVELHEAD = Path(sys.executable).with_name("levelhead")
BARE = {"PATH": "/usr/bin:/bin"}

WITHOUT_SYSTEM_POSTGRES = """
from providers.postgres import embedded
embedded._SYSTEM_DIRECTORIES = ()
assert embedded.system_binaries() is None
from sync.cli.main import run
run()
"""

PATIENCE = 120  # seconds for the whole demo on a busy machine


def ran(*command: str | Path, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command with nothing in its environment but *environ*."""
    return subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def test_once_ends_when_all_targets_stand_at_head() -> None:
    """`demo --once` needs no HOME, tells its story line by line, and ends with 0."""
    outcome = ran(LEVELHEAD, "demo", "--once", environ=BARE)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    *_, before, after = re.findall(
        r"^(?:eu|us|jp|lake) +app .*\n(?:.+\n)*", outcome.stdout, re.MULTILINE
    )
    assert before.count("behind") == 4
    assert after.count("current") == 4
    assert re.search(r"^lake +app +databricks +current ", after, re.MULTILINE)
    assert re.search(r"target\.changed +jp", outcome.stdout)  # the hand-run was noticed
    skips = re.findall(r"^.* directive\.skipped .*$", outcome.stdout, re.MULTILINE)
    assert len(skips) == 6
    assert any(re.search(r" lake .* on conversations loses ON DELETE CASCADE", s) for s in skips)
    assert re.search(r"^\d+ events, chain whole$", outcome.stdout, re.MULTILINE)


def test_it_needs_no_postgres_on_the_machine(tmp_path: Path) -> None:
    """With the wheel's own server it does the same, and `--json` prints one document."""
    environ = {"PATH": str(tmp_path)}
    command = (sys.executable, "-c", WITHOUT_SYSTEM_POSTGRES, "demo", "--once", "--json")
    outcome = ran(*command, environ=environ)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    document = json.loads(outcome.stdout)
    assert set(document) == {"targets", "events", "verified"}
    assert document["verified"] is True
    assert document["events"] > len(document["targets"]) * len(("asked", "begun", "ended"))
    targets = document["targets"]
    assert [(target["name"], target["provider"]) for target in targets] == [
        ("eu", "postgresql"),
        ("us", "postgresql"),
        ("jp", "postgresql"),
        ("lake", "databricks"),
    ]
    for target in targets:
        assert target["status"] == "current"
        assert target["heads"] == target["head"] != []
        assert target["pending"] == []


@contextmanager
def staying() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a demo that stays up; give it, and what it said until it had nothing left to say."""
    demo = subprocess.Popen(
        (LEVELHEAD, "demo"), env=BARE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert demo.stdout is not None
        said = []
        for line in demo.stdout:
            said.append(line)
            if line.startswith("Ctrl-C ends the demo"):
                break
        yield demo, "".join(said)
    finally:
        demo.kill()
        demo.communicate()


def test_without_the_extra() -> None:
    """Where the warehouse's part is not installed, one line says what to install."""
    outcome = ran_without("duckdb", "demo", "--once")
    assert (outcome.returncode, outcome.stderr) == (
        2,
        (
            "levelhead: a local SQL warehouse needs 'duckdb', which is not installed; "
            "pip install 'levelhead[demo]'\n"
        ),
    )


def only(pattern: str, text: str) -> str:
    """Return what the group in *pattern* matches, the first time."""
    found = re.search(pattern, text, re.MULTILINE)
    assert found, f"{pattern!r} is not in\n{text}"
    return found[1]


def gone(folder: Path) -> bool:
    """Tell whether *folder* goes away within a few seconds."""
    deadline = time.monotonic() + 15
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return not folder.exists()


def test_its_api_answers_until_ctrl_c() -> None:
    """The printed address and token work, events show as they happen, and Ctrl-C is no failure."""
    with staying() as (demo, said):
        api = only(r"answers at (\S+)$", said)
        token = only(r"admin: (\S+)$", said)
        bearer = {"Authorization": f"Bearer {token}"}
        targets = httpx.get(f"{api}/targets").json()["items"]
        assert {target["status"] for target in targets} == {"current"}
        answer = httpx.post(f"{api}/targets/jp/downgrade", headers=bearer, json={"to": "-1"})
        assert answer.status_code == httpx.codes.ACCEPTED
        assert demo.stdout is not None
        assert any("target.held" in line for line in demo.stdout)
        config = Path(only(r"LEVELHEAD_CONFIG=(\S+)$", said))
        secret = only(r"//token:([^@]+)@", config.with_name("lake.url").read_text())
        events = httpx.get(f"{api}/events", params={"limit": 1000}).text
        assert '"directive.skipped"' in events
        assert secret not in said + events
        demo.send_signal(signal.SIGINT)
        assert demo.wait(PATIENCE) == 0
        assert demo.stderr is not None
        assert demo.stderr.read() == ""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_it_leaves_nothing_behind(number: signal.Signals, code: int) -> None:
    """However it ends, kill -9 included, server, warehouse, control database and token go."""
    with staying() as (demo, said):
        config = Path(only(r"LEVELHEAD_CONFIG=(\S+)$", said))
        assert config.with_name("levelhead.token").exists()
        started = psutil.Process(demo.pid).children(recursive=True)
        assert any("providers.databricks.warehouse" in child.cmdline() for child in started)
        demo.send_signal(number)
        assert demo.wait(PATIENCE) == code
        assert gone(config.parents[1])
        _, alive = psutil.wait_procs(started, timeout=15)
        assert alive == []
