"""The command `check`: looks at everything that a sweep needs, and changes nothing."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from providers.errors import ConfigError, LevelheadError, LockBusyError
from providers.types import Policy, Target
from sync.cli.door import running_service
from sync.cli.failures import worst
from sync.cli.screen import Screen
from sync.cli.table import Column, Table
from sync.cli.words import count, heads_text, one_line, some
from sync.edits import Edit
from sync.errors import AuditError, MultipleHeadsError, UnknownRevisionError
from sync.expansion import Answer, Expansion, Tenant, expanded, shortened, tenants_of
from sync.history import Graph, behind, strangers
from sync.model import Run, RunQuery, Selection, TargetStatus
from sync.plan.processes import Runners
from sync.pool import Providers
from sync.runtime import Runtime
from sync.settings import History, Settings, load_settings
from sync.store.backends import control_file
from sync.tenants import ask, mover


class Verdict(StrEnum):
    """What a finding means."""

    OK = "ok"
    WARN = "warn"  #: it works, but somebody should look
    FAIL = "fail"  #: it does not work


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    verdict: Verdict
    subject: str
    text: str
    exit_code: int = 0


async def examine(
    config: Path | None, environ: Mapping[str, str], cwd: Path, screen: Screen
) -> int:
    """Look at everything and show a finding for each; the exit code of the worst."""
    try:
        settings = load_settings(config, environ, cwd)
    except ConfigError as error:
        findings: Sequence[Finding] = [
            Finding(Verdict.FAIL, "configuration", line, error.exit_code)
            for line in str(error).splitlines()
        ]
    else:
        findings = await look(settings)
    screen.show(findings_table(findings), findings)
    return worst(finding.exit_code for finding in findings)


async def look(settings: Settings) -> list[Finding]:
    """Return the findings about everything that *settings* name."""
    runners = Runners(timeout=settings.schedule.script_timeout, secrets=settings.secrets())
    graphs: dict[str, Graph] = {}
    scripts = [await load(history, runners, graphs) for history in settings.histories.values()]
    async with aclosing(Providers()) as providers:
        answers = await ask_all(settings, providers)
        found = await all_tenants(answers, providers)
        targets = expanded(settings.targets, found)
        visits = await visit_all(settings, targets.targets, providers, graphs)
    return [
        _configuration(settings),
        await control_database(settings),
        token_file(settings.control.token_file),
        *scripts,
        *await edits(settings),
        *await strays(settings),
        *[each for answer in answers for each in answered(answer, targets)],
        *visits,
        *await drifts(settings),
    ]


def _configuration(settings: Settings) -> Finding:
    histories, targets = len(settings.histories), len(settings.targets)
    counted = f"{count(histories, 'history', 'histories')}, {count(targets, 'target')}"
    if settings.tenants:
        counted += f", {count(len(settings.tenants), 'pattern')} of tenants"
    return Finding(Verdict.OK, "configuration", f"{settings.path}: {counted}")


async def control_database(settings: Settings) -> Finding:
    """Tell whether the control database can be read, and who serves it."""
    subject = "control database"
    file = control_file(settings.control.url.get_secret_value())
    if file and not file.exists():
        return _missing(subject, file)
    try:
        async with Runtime.open_reading(settings) as runtime:
            await runtime.runs(RunQuery(limit=1))
        service = running_service(settings)
    except LevelheadError as error:
        return _failed(subject, error)
    if file and not os.access(file, os.W_OK):
        return Finding(Verdict.FAIL, subject, f"{file}: not writable", AuditError.exit_code)
    served = f"served at {service.url}, process {service.pid}" if service else "not in use"
    return Finding(Verdict.OK, subject, f"{file}: {served}" if file else "Postgres, readable")


def _missing(subject: str, file: Path) -> Finding:
    if os.access(file.parent, os.W_OK):
        return Finding(Verdict.OK, subject, f"{file}: not there yet; the first change makes it")
    text = f"{file}: not there, and its folder is not writable"
    return Finding(Verdict.FAIL, subject, text, AuditError.exit_code)


def token_file(file: Path) -> Finding:
    """Tell whether the file with the first token can be read by its owner alone."""
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
    except FileNotFoundError:
        return Finding(Verdict.OK, "token file", f"{file}: not there; the first serve writes it")
    except OSError as error:
        return Finding(Verdict.WARN, "token file", f"{file}: {error.strerror}")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        text = f"{file}: mode {mode:04o} lets others read an admin token; chmod 600 {file}"
        return Finding(Verdict.FAIL, "token file", text, ConfigError.exit_code)
    return Finding(Verdict.OK, "token file", f"{file}: mode {mode:04o}")


async def load(history: History, runners: Runners, graphs: dict[str, Graph]) -> Finding:
    """Load the scripts of a history into *graphs*, and tell whether they have one head."""
    subject = f"history {history.name}"
    try:
        graph = graphs[history.name] = await runners.graph(history)
    except LevelheadError as error:
        return _failed(subject, error)
    if len(graph.heads) > 1:
        text = f"{len(graph.heads)} heads: {heads_text(graph.heads)}; merge them"
        return Finding(Verdict.FAIL, subject, text, MultipleHeadsError.exit_code)
    revisions = count(len(graph.revisions), "revision")
    return Finding(Verdict.OK, subject, f"{revisions}, head {heads_text(graph.heads)}")


async def edits(settings: Settings) -> list[Finding]:
    """Tell which applied revisions have another file now; a new control database knows none."""
    file = control_file(settings.control.url.get_secret_value())
    if file and not file.exists():
        return []
    try:
        async with Runtime.open_reading(settings) as runtime:
            found = await runtime.edits()
    except LevelheadError:
        return []  # told of the control database itself
    return [edited(edit) for edit in found]


def edited(edit: Edit) -> Finding:
    """Return what is to be said of one edited file."""
    held = f"{count(len(edit.targets), 'target')} ({some(edit.targets)})"
    text = f"{edit}, on {held}; restore the file"
    return Finding(Verdict.WARN, f"history {edit.history}", text, exit_code=1)


async def strays(settings: Settings) -> list[Finding]:
    """Tell which runs nobody can settle, for their database is no target any more."""
    file = control_file(settings.control.url.get_secret_value())
    if file and not file.exists():
        return []
    try:
        async with Runtime.open_reading(settings) as runtime:
            return [strayed(run) for run in await runtime.strays()]
    except LevelheadError:
        return []  # told of the control database itself


def strayed(run: Run) -> Finding:
    """Return what is to be said of a run that nobody can settle."""
    text = f"{run.target}: {run.state}, and no target is its database any more; make it a target"
    return Finding(Verdict.WARN, f"run {run.id}", f"{text} again, by any name", exit_code=1)


async def drifts(settings: Settings) -> list[Finding]:
    """Tell which live schemas are not what was recorded, or not those of most others."""
    file = control_file(settings.control.url.get_secret_value())
    if file and not file.exists():
        return []
    try:
        async with Runtime.open_reading(settings) as runtime:
            statuses = await runtime.inspect(Selection())
    except LevelheadError:
        return []  # told of the control database itself
    return [finding for status in statuses for finding in drifted(status)]


def drifted(status: TargetStatus) -> Iterator[Finding]:
    """Yield what is to be said of a target's schema: a line for each difference."""
    subject = f"target {status.name}"
    for line in status.drift:
        yield Finding(Verdict.WARN, subject, f"drifted: {line}", exit_code=1)
    if status.minority:
        yield Finding(Verdict.WARN, subject, status.minority)


async def ask_all(settings: Settings, providers: Providers) -> list[Answer]:
    """Ask for each pattern who the tenants are, but for those that are off."""
    patterns = [each for each in settings.tenants.values() if each.model.policy is not Policy.OFF]
    return await asyncio.gather(*[ask(each, providers, datetime.now(UTC)) for each in patterns])


async def all_tenants(
    answers: Sequence[Answer], providers: Providers
) -> Mapping[str, Sequence[Tenant]]:
    """Return what was found for each pattern, by its name."""
    return {
        answer.pattern.name: tenants_of(
            answer.pattern, answer.tenants, await mover(answer.pattern, providers)
        )
        for answer in answers
        if answer.error is None
    }


def answered(answer: Answer, found: Expansion) -> Iterator[Finding]:
    """Yield what is to be said of a pattern: who was found, nobody, or why nobody could tell."""
    name = answer.pattern.name
    subject = f"tenants {name}"
    if answer.error is not None:
        yield _failed(subject, answer.error)
        return
    if not answer.tenants:
        text = f"no {answer.pattern.over} matches; it stands for no target"
        yield Finding(Verdict.WARN, subject, text, exit_code=1)
        return
    targets = [each for each in found.members[name].values() if each is not None]
    yield Finding(Verdict.OK, subject, count(len(targets), answer.pattern.over))
    if lines := shortened(found.left_out[name]):
        yield Finding(Verdict.WARN, subject, f"left out {lines}", exit_code=1)


async def visit_all(
    settings: Settings,
    targets: Mapping[str, Target],
    providers: Providers,
    graphs: Mapping[str, Graph],
) -> list[Finding]:
    """Visit every target, as many at once as a sweep does."""
    width = asyncio.Semaphore(settings.schedule.concurrency)

    async def visited(target: Target) -> Finding:
        async with width:
            return await visit(target, providers, graphs.get(target.history))

    return await asyncio.gather(*map(visited, targets.values()))


async def visit(target: Target, providers: Providers, graph: Graph | None) -> Finding:
    """Connect, read the version table and take the lock, as a run does before anything else."""
    subject = f"target {target.name}"
    try:
        async with providers.open(target) as session:
            heads = await session.heads()
            async with session.lock(wait=timedelta(0)):
                pass
    except LockBusyError:
        return Finding(Verdict.WARN, subject, "reachable, but somebody holds its migration lock")
    except LevelheadError as error:
        return _failed(subject, error)
    if graph and (unknown := strangers(graph, heads)):
        text = f"at {', '.join(unknown)}, which history {graph.history} does not have"
        return Finding(Verdict.FAIL, subject, text, UnknownRevisionError.exit_code)
    pending = f", {len(behind(graph, heads))} pending" if graph else ""
    return Finding(Verdict.OK, subject, f"at {heads_text(heads)}{pending}")


def _failed(subject: str, error: LevelheadError) -> Finding:
    """Return what an error says, without the subject that stands beside it anyway."""
    name = subject.removeprefix("target ").removeprefix("tenants ")
    text = one_line(str(error)).removeprefix(f"{subject}: ").removeprefix(f"{name}: ")
    return Finding(Verdict.FAIL, subject, text, error.exit_code)


def findings_table(findings: Sequence[Finding]) -> Table:
    """Return one row for each finding."""
    return Table(
        columns=(Column("", tones=_TONES), Column("subject"), Column("found")),
        rows=tuple((each.verdict.value, each.subject, each.text) for each in findings),
    )


_TONES = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}
