"""Commands that change targets: an order, its runs, and what became of them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping

from providers.types import Policy, Target
from sync.cli.door import Door, open_door
from sync.cli.failures import code_of_name, complain, worst
from sync.cli.follow import Board, Result, board_for, follow
from sync.cli.patterns import complaints, empty
from sync.cli.progress import failure, total
from sync.cli.screen import Screen
from sync.cli.words import named
from sync.errors import RunError
from sync.model import Order, Rollout, Selection, Skip, Verdict
from sync.settings import Settings


async def carry_out(
    settings: Settings, order: Order, selection: Selection, actor: str, screen: Screen
) -> int:
    """Start runs, show them until they end, and say what failed.

    Returns:
        0 where every target came to where the order says, else the worst exit code.
    """
    async with open_door(settings, actor, os.environ) as door:
        rollout = await door.request(order, selection)
        with board_for(screen, len(rollout.runs)) as board:
            result = await followed(door, rollout, board)
        fleet = door.reads.fleet
        await fleet.recall()
    screen.conclude(result.rollout)
    if line := total(result.rollout):
        screen.note(line)
    for skip in harmless(result.rollout, fleet):
        screen.note(named(skip.target, skip.reason))
    patterns = fleet.statuses(selection)
    for line in empty(patterns):
        screen.note(line)
    unfound = ((line, 1) for line in complaints(patterns))
    problems = (*failures(result), *left_out(result.rollout, fleet), *unfound)
    complain(line for line, _ in problems)
    return worst(code for _, code in problems)


async def followed(door: Door, rollout: Rollout, board: Board) -> Result:
    """Follow *rollout* to its end; tell whoever interrupts that what becomes of it."""
    try:
        return await follow(door.reads, rollout, board)
    except asyncio.CancelledError:
        complain([door.farewell])
        raise


def failures(result: Result) -> Iterator[tuple[str, int]]:
    """Yield a line and an exit code for each run that did not do what was ordered."""
    for run in result.rollout.runs:
        if run.order.verb is not result.rollout.order.verb:
            text = f"run {run.id}, a {run.order.verb} to {run.order.to}, was under way; ask again"
            yield named(run.target, text), RunError.exit_code
        elif problem := failure(run):
            yield named(run.target, problem), code_of_name(result.errors.get(run.id))


def left_out(rollout: Rollout, targets: Mapping[str, Target]) -> Iterator[tuple[str, int]]:
    """Yield a line and an exit code for each target that should have had a run."""
    expected = set(harmless(rollout, targets))
    for skip in rollout.skipped:
        if skip not in expected:
            yield named(skip.target, skip.reason), 1


def harmless(rollout: Rollout, targets: Mapping[str, Target]) -> Iterator[Skip]:
    """Yield the targets that were left out because they are switched off."""
    for skip in rollout.skipped:
        target = targets.get(skip.target)
        if target and target.policy is Policy.OFF:
            yield skip


async def settle_ticket(
    settings: Settings, ticket: str, verdict: Verdict, actor: str, screen: Screen
) -> int:
    """Say what became of an act in doubt."""
    async with open_door(settings, actor, os.environ) as door:
        await door.settle(ticket, verdict)
    screen.tell(f"{ticket}: {verdict.value}", {"ticket": ticket, "outcome": verdict.value})
    return 0


async def release_target(settings: Settings, target: str, actor: str, screen: Screen) -> int:
    """End the hold of a target."""
    async with open_door(settings, actor, os.environ) as door:
        status = await door.release(target)
    screen.tell(f"{target}: released, {status.status.value}", status)
    return 0
