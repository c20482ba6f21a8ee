"""Commands about plans: show them, and say what may be done of them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from providers.errors import ConfigError
from sync.approval import PlanDetails
from sync.cli.door import open_door
from sync.cli.failures import complain
from sync.cli.plan_text import details_text, plans_table, previews_text
from sync.cli.screen import Screen
from sync.cli.words import named
from sync.errors import AuditError
from sync.gate import short
from sync.model import Order, PlanQuery, Selection
from sync.plan.model import Preview
from sync.plan.script import sql_text
from sync.runtime import Runtime
from sync.settings import Settings
from sync.store.filelock import NOWHERE


@dataclass(frozen=True, slots=True)
class Span:
    """A path through a history that no target need stand on."""

    history: str
    start: str
    to: str
    dialect: str | None  #: None: each that its targets have


async def show_target_plan(
    settings: Settings, target: str, to: str, screen: Screen, *, sql: bool
) -> int:
    """Show what would happen to a target; 1 where the settings refuse that."""
    async with keeping(settings) as runtime:
        return await show(runtime, [await runtime.previews.of_target(target, to)], screen, sql=sql)


async def show_history_plans(settings: Settings, span: Span, screen: Screen, *, sql: bool) -> int:
    """Show the plan of a path for each dialect; 1 where there is none, or it is refused."""
    if span.history not in settings.histories:
        raise ConfigError(f"there is no history {span.history}")
    async with keeping(settings) as runtime:
        found = await runtime.previews.of_history(span.history, span.start, span.to, span.dialect)
        return await show(runtime, found, screen, sql=sql)


async def show_known_plan(settings: Settings, digest: str, screen: Screen, *, sql: bool) -> int:
    """Show a plan that was compiled before, by the beginning of its digest."""
    async with Runtime.open_reading(settings) as runtime:
        whole = await runtime.approvals.whole(digest)
        await display(runtime, [await runtime.approvals.details(whole)], screen, sql=sql)
    return 0


async def show(runtime: Runtime, previews: Sequence[Preview], screen: Screen, *, sql: bool) -> int:
    """Show the plans that there are, and say why there is no other, or one is refused."""
    found = [await runtime.approvals.shown(each.plan, each) for each in previews if each.plan]
    await display(runtime, found, screen, sql=sql)
    problems = [named(each.target, each.problem) for each in previews if each.problem]
    complain(problems)
    return 1 if problems else 0


async def display(
    runtime: Runtime, found: Sequence[PlanDetails], screen: Screen, *, sql: bool
) -> None:
    """Show plans step by step, or as SQL."""
    files = await files_of(runtime, {each.plan.history for each in found})
    texts = [
        sql_text(each.plan, files[each.plan.history])
        if sql
        else details_text(each, files[each.plan.history])
        for each in found
    ]
    if found:
        screen.tell("\n\n".join(texts), found[0] if len(found) == 1 else found)


async def show_plans(settings: Settings, query: PlanQuery, screen: Screen) -> int:
    """List plans, newest first."""
    async with Runtime.open_reading(settings) as runtime:
        found = await runtime.approvals.page(query)
    screen.show(plans_table(found), found)
    return 0


async def approve_plan(
    settings: Settings, digest: str, reason: str | None, actor: str, screen: Screen
) -> int:
    """Let runs apply a plan."""
    async with open_door(settings, actor, os.environ) as door:
        record = await door.approve(await door.reads.approvals.whole(digest), reason)
    screen.tell(f"plan {short(record.digest)}: approved", record)
    return 0


async def reject_plan(
    settings: Settings, digest: str, reason: str | None, actor: str, screen: Screen
) -> int:
    """Let no run apply a plan."""
    async with open_door(settings, actor, os.environ) as door:
        record = await door.reject(await door.reads.approvals.whole(digest), reason)
    screen.tell(f"plan {short(record.digest)}: rejected", record)
    return 0


async def show_previews(
    settings: Settings, order: Order, selection: Selection, screen: Screen
) -> int:
    """Show what an order would send to each target; 1 where there is no plan for one."""
    async with beside(settings) as runtime:
        previews = await runtime.previews.of(order, selection)
        files = await files_of(runtime, {each.plan.history for each in previews if each.plan})
    screen.tell(previews_text(previews, files), previews)
    return 1 if any(preview.problem for preview in previews) else 0


async def files_of(runtime: Runtime, histories: Iterable[str]) -> Mapping[str, Mapping[str, str]]:
    """Return history -> revision -> file name of its script, as it is on disk now."""
    found = {}
    for history in histories:
        graph = await runtime.graph(history)
        found[history] = {each.id: each.file for each in graph.revisions.values()}
    return found


@asynccontextmanager
async def keeping(settings: Settings) -> AsyncIterator[Runtime]:
    """Open the control database so that plans are kept; where others hold it, only read it."""
    async with AsyncExitStack() as stack:
        try:
            runtime = await stack.enter_async_context(Runtime.open(settings, url=NOWHERE))
        except AuditError:
            runtime = await stack.enter_async_context(Runtime.open_reading(settings))
        yield runtime


@asynccontextmanager
async def beside(settings: Settings) -> AsyncIterator[Runtime]:
    """Open the control database beside whoever holds it; where there is none yet, make it."""
    async with AsyncExitStack() as stack:
        try:
            runtime = await stack.enter_async_context(Runtime.open_reading(settings))
        except AuditError:
            runtime = await stack.enter_async_context(Runtime.open(settings, url=NOWHERE))
        yield runtime
