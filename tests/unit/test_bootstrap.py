from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bootstrap

FILES = ("bootstrap.py", "requirements.txt", "pyproject.toml")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a project with a .venv that is set up, as far as `bootstrap` can tell."""
    for name in FILES:
        shutil.copy(bootstrap.ROOT / name, tmp_path)
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "REQUIREMENTS", tmp_path / "requirements.txt")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / ".venv" / bootstrap.STAMP.name).write_text(bootstrap.digest())
    return tmp_path


def test_an_unknown_command_is_answered_with_the_usage() -> None:
    """What bootstrap.py can do is said where nothing, or nothing known, was asked."""
    for arguments in ([], ["deploy"]):
        with pytest.raises(SystemExit, match=r"bootstrap\.py demo"):
            bootstrap.main(arguments)


def test_an_old_python_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python before 3.11 is named together with what is needed."""
    monkeypatch.setattr(sys, "version_info", (3, 10, 2, "final", 0))
    with pytest.raises(
        SystemExit, match=r"^levelhead needs Python 3\.11 or newer; this is 3\.10\.2"
    ):
        bootstrap.main(["setup"])


def test_a_python_without_ensurepip_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Debian's bare python3 cannot make virtual environments; the package to install is named."""
    monkeypatch.setattr(bootstrap, "find_spec", lambda _: None)
    with pytest.raises(SystemExit, match=r"apt-get install python3-venv$"):
        bootstrap.make_venv()


def test_a_second_set_up_does_nothing(project: Path) -> None:
    """What is set up already is not installed again; an empty environment is enough."""
    done = subprocess.run(
        [sys.executable, project / "bootstrap.py", "setup"],
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_new_pins_call_for_a_new_set_up(project: Path) -> None:
    """The digest follows requirements.txt and pyproject.toml."""
    first = bootstrap.digest()
    for name in FILES[1:]:
        with (project / name).open("a") as file:
            file.write("# changed\n")
        assert bootstrap.digest() != first
        first = bootstrap.digest()
