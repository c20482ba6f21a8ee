"""The jars of Spark and Delta Lake: fetched by Maven, once, beside the checkout's .venv.

``python -m tests.support.delta.jars`` fetches them; where it cannot, it says why and ends with 69.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

POM = Path(__file__).with_name("pom.xml")

#: Where the jars are; git ignores it.
PLACE = Path(__file__).resolve().parents[3] / ".venv-delta"

#: The oldest Java that runs this Spark.
_OLDEST_JAVA = 17

#: Seconds for all jars, some 300 MB.
_PATIENCE = 600


class MissingError(Exception):
    """Spark cannot be started on this machine; the text says what is missing."""


def jars() -> Path:
    """Return the folder of the jars, fetched if need be. Raises MissingError."""
    check_java()
    stamp, folder = PLACE / "levelhead-pins", PLACE / "jars"
    wanted = hashlib.sha256(POM.read_bytes()).hexdigest()
    if not (stamp.is_file() and stamp.read_text() == wanted):
        shutil.rmtree(PLACE, ignore_errors=True)
        _fetch(folder)
        stamp.write_text(wanted)
    return folder


def check_java() -> None:
    """Raise MissingError where there is no Java, or one that is too old."""
    java = shutil.which("java")
    if java is None:
        raise MissingError("no Java was found on PATH")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(\d+)', said.stderr)
    if found is None or int(found[1]) < _OLDEST_JAVA:
        version = said.stderr.partition("\n")[0] or "an unknown one"
        raise MissingError(f"Java {_OLDEST_JAVA} or newer is needed; this is {version}")


def versions() -> dict[str, str]:
    """Return the versions that are pinned: artifact -> version."""
    pairs = re.findall(r"<artifactId>([^<]+)</artifactId>\s*<version>([^<]+)", POM.read_text())
    return {name.partition("_")[0]: version for name, version in pairs}


def _fetch(folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise MissingError("no Maven (mvn) was found on PATH to fetch Spark with")
    goal = ("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}")
    command = (maven, "--batch-mode", "--quiet", "--file", str(POM), *goal)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_PATIENCE
        )
    except subprocess.TimeoutExpired as error:
        raise MissingError(f"Maven did not fetch Spark within {_PATIENCE} s") from error
    if done.returncode:
        raise MissingError(f"Maven could not fetch Spark: {_reason(done.stdout)}")


def _reason(said: str) -> str:
    """Return the first error of Maven's output, without where it looked."""
    found = re.search(r"^\[ERROR\] (.*)", said, re.MULTILINE)
    return re.sub(r" \(\w+://[^)]*\)|\w+://\S+", "", found[1]) if found else "it does not say why"


if __name__ == "__main__":
    try:
        jars()
    except MissingError as missing:
        sys.stderr.write(f"{missing}\n")
        sys.exit(os.EX_UNAVAILABLE)
