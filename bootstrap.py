"""Set levelhead up beside this file and start it; needs only Python 3.11 or newer.

python3 bootstrap.py setup           make .venv with the pinned requirements
python3 bootstrap.py demo [ARG..]    the same, then levelhead demo ARG..
python3 bootstrap.py test [ARG..]    the same, then pytest ARG..
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = ROOT / "requirements.txt"
STAMP = VENV / "levelhead-setup"  # holds the digest of what was installed last

COMMANDS = {
    "setup": [],
    "demo": [str(VENV / "bin" / "levelhead"), "demo"],
    "test": [str(PYTHON), "-m", "pytest"],
}


def main(arguments: list[str]) -> None:
    """Set up what is missing, then become the command that was asked for."""
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:3]))
        sys.exit(f"levelhead needs Python 3.11 or newer; this is {found} ({sys.executable})")
    if not arguments or arguments[0] not in COMMANDS:
        sys.exit((__doc__ or "").strip())
    set_up()
    command = [*COMMANDS[arguments[0]], *arguments[1:]]
    if arguments[0] != "setup":
        os.chdir(ROOT)
        os.execv(command[0], command)  # noqa: S606 - the program just installed, no shell


def set_up() -> None:
    """Install into .venv, unless exactly this was installed there before."""
    wanted = digest()
    if STAMP.is_file() and STAMP.read_text() == wanted and PYTHON.exists():
        return
    if not has_pip():
        make_venv()
    say("installing what requirements.txt pins")
    pip("--require-hashes", "-r", str(REQUIREMENTS))
    say("installing levelhead itself, editable")
    pip("--no-deps", "--no-build-isolation", "-e", str(ROOT))
    STAMP.write_text(wanted)


def digest() -> str:
    """Hash what a set-up depends on; the place too, for .venv does not survive a move."""
    parts = [REQUIREMENTS.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), bytes(ROOT)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def has_pip() -> bool:
    """Tell whether .venv is there and can install."""
    if not PYTHON.exists():
        return False
    question = [str(PYTHON), "-m", "pip", "--version"]
    answer = subprocess.run(question, capture_output=True, check=False)  # noqa: S603 - ours
    return answer.returncode == 0


def make_venv() -> None:
    """Make .venv anew."""
    if find_spec("ensurepip") is None:
        sys.exit(
            f"levelhead: {sys.executable} cannot make virtual environments; "
            "on Debian and Ubuntu: apt-get install python3-venv"
        )
    say(f"making {VENV}")
    run(sys.executable, "-m", "venv", "--clear", str(VENV))


def pip(*arguments: str) -> None:
    """Install into .venv; pip speaks only when it fails."""
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input")
    run(str(PYTHON), "-m", "pip", "install", *quiet, *arguments)


def run(*command: str) -> None:
    """Run one step; end with one line below its own words where it fails."""
    if subprocess.run(command, check=False).returncode:  # noqa: S603 - the commands above
        sys.exit(f"levelhead: set-up failed at: {' '.join(command)}")


def say(step: str) -> None:
    """Tell what is being done, at once also where output is piped."""
    sys.stderr.write(f"levelhead: {step}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
