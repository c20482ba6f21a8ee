"""Looks through plans for what somebody should know before they are carried out.

The rules of levelhead are in `sync.plan.lint`; SQL for Postgres is also read by squawk, in a
process of its own, where it is installed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sync.history import Graph
from sync.plan import squawk
from sync.plan.findings import Finding, Lint
from sync.plan.lint import own_findings
from sync.plan.model import Plan
from sync.plan.route import Route
from sync.store.text import canonical

#: squawk takes milliseconds; one that takes longer hangs.
PATIENCE = timedelta(seconds=30)

#: The dialects that squawk knows.
DIALECTS = frozenset({"postgresql"})

#: Instead of what it would look for in the folders above.
CONFIG = "empty.toml"


class LinterError(Exception):
    """A linter could not be asked; the text is the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Squawk:
    """The program."""

    path: Path
    version: str


def source(route: Route, graph: Graph) -> str:
    """Return a hash of what, besides the plan, its lint hangs on."""
    facts = {
        "linters": versions(),
        "rules": sorted(route.history.lint),
        "major": route.major,
        "scripts": graph.digest,
    }
    return hashlib.sha256(canonical(facts).encode()).hexdigest()


@cache
def versions() -> tuple[str, ...]:
    """Return the versions of levelhead and of squawk, which may not be there."""
    found = installed()
    return (metadata.version("levelhead"), found.version if found else "")


async def looked_through(plan: Plan, route: Route, graph: Graph) -> Lint:
    """Return what is found in *plan*; a linter that cannot be asked is named, not missed."""
    lint = Lint(tuple(own_findings(plan, graph)), source=source(route, graph))
    if plan.dialect not in DIALECTS:
        return replace(lint, omitted=f"no linter here knows the SQL of {plan.dialect}")
    try:
        told = await asked_of_squawk(plan, route)
    except LinterError as error:
        return replace(lint, failed=f"the rules of squawk were not applied: {error}")
    return replace(lint, findings=lint.findings + told)


async def asked_of_squawk(plan: Plan, route: Route) -> tuple[Finding, ...]:
    """Return what squawk finds in what *plan* sends.

    Raises:
        LinterError: It could not be asked.
    """
    asked = squawk.pieces(plan)
    if not asked:
        return ()
    program = installed()
    if program is None:
        raise LinterError('it is not installed; pip install "levelhead[lint]"')
    return await ask(program, asked, major=route.major, wanted=route.history.lint)


@cache
def installed() -> Squawk | None:
    """Return the squawk of this environment, never another; None where it has none."""
    try:
        found = metadata.distribution("squawk-cli")
    except metadata.PackageNotFoundError:
        return None
    programs = [file for file in found.files or () if file.stem == "squawk"]
    return Squawk(Path(str(programs[0].locate())), found.version) if programs else None


async def ask(
    program: Squawk, asked: Sequence[squawk.Piece], *, major: str, wanted: Collection[str]
) -> tuple[Finding, ...]:
    """Return what squawk finds.

    Raises:
        LinterError: It does not start, does not know a rule, or does not end.
    """
    with TemporaryDirectory(prefix="levelhead-lint-") as folder:  # for its owner alone
        await asyncio.to_thread(write, Path(folder), asked)
        said: list[Mapping[str, Any]] = []
        for transactional in (True, False):
            files = [one.file for one in asked if one.transactional is transactional]
            options = squawk.arguments(
                major=major, wanted=sorted(wanted), transactional=transactional
            )
            said += await answer(program, Path(folder), (*options, *files)) if files else []
    return tuple(squawk.findings(said, asked))


def write(folder: Path, asked: Sequence[squawk.Piece]) -> None:
    """Write each piece to its file."""
    (folder / CONFIG).touch()
    for one in asked:
        (folder / one.file).write_text(one.sql, encoding="utf-8")


async def answer(
    program: Squawk, folder: Path, arguments: Sequence[str]
) -> Sequence[Mapping[str, Any]]:
    """Return what squawk says of files in *folder*.

    Raises:
        LinterError: It says nothing that can be read.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            program.path,
            f"--config={CONFIG}",
            *arguments,
            cwd=folder,
            env={},
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
        )
    except OSError as error:
        raise LinterError(f"it cannot be started: {error.strerror}") from error
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            out, complaint = await process.communicate()
    except TimeoutError:
        raise LinterError(f"it did not end within {PATIENCE.total_seconds():g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return read(out, complaint)


def read(out: bytes, complaint: bytes) -> Sequence[Mapping[str, Any]]:
    """Return the findings that squawk has written.

    Raises:
        LinterError: It has written something else.
    """
    try:
        found: Sequence[Mapping[str, Any]] = json.loads(out)
    except ValueError:
        said = complaint.decode(errors="replace").strip().splitlines()
        raise LinterError(said[0] if said else "it said nothing") from None
    return found
