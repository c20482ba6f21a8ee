"""Commands that change targets: an order, its runs, and what became of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping

from providers.types import Policy, Target
from sync.cli.door import open_door
from sync.cli.failures import code_of_name, worst
from sync.cli.follow import Result, board_for, follow
from sync.cli.progress import failure
from sync.cli.screen import Screen
from sync.cli.words import named
from sync.model import Order, Rollout, Selection, Skip
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
        with board_for(screen) as board:
            result = await follow(door.reads, rollout, board)
    screen.conclude(result.rollout)
    problems = (*failures(result), *left_out(result.rollout, settings.targets))
    complain(line for line, _ in problems)
    return worst(code for _, code in problems)


def failures(result: Result) -> Iterator[tuple[str, int]]:
    """Yield a line and an exit code for each run that did not succeed."""
    for run in result.rollout.runs:
        if problem := failure(run):
            yield named(run.target, problem), code_of_name(result.errors.get(run.id))


def left_out(rollout: Rollout, targets: Mapping[str, Target]) -> Iterator[tuple[str, int]]:
    """Yield a line and an exit code for each target that the rollout skipped."""
    for skip in rollout.skipped:
        yield named(skip.target, f"left out: {skip.reason}"), _weight(skip, targets)


def _weight(skip: Skip, targets: Mapping[str, Target]) -> int:
    target = targets.get(skip.target)
    return 0 if target and target.policy is Policy.OFF else 1


def complain(lines: Iterable[str]) -> None:
    """Write each line to stderr."""
    sys.stderr.writelines(f"{line}\n" for line in lines)


async def release_target(settings: Settings, target: str, actor: str, screen: Screen) -> int:
    """End the hold of a target."""
    async with open_door(settings, actor, os.environ) as door:
        status = await door.release(target)
    screen.tell(f"{target}: released, {status.status.value}", status)
    return 0
