"""How canaries end: their verdict, who keeps it, and who is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from providers.base import Session
from providers.types import Target
from sync.canary import about, failure
from sync.drift import difference, lines
from sync.endings import Ending
from sync.engine import Engine
from sync.errors import CanaryNeededError
from sync.events.chain import JSON, Draft
from sync.events.kinds import Kind
from sync.fingerprints import LINES, Sight, shortened
from sync.model import Canary, CanaryState, Run, RunState, Wait
from sync.settlement import Settlement
from sync.store import canaries, snapshots, targets
from sync.store.targets import TargetState


async def ended(
    connection: AsyncConnection, run: Run, end: Ending, proof: Sight | None, now: datetime
) -> Sequence[Draft]:
    """Write down what the end of *run* means for canaries: its own, or the one that it lacked.

    Of a run that was interrupted nobody knows yet how far it came: whoever settles it judges.
    """
    if isinstance(end.error, CanaryNeededError):
        await canaries.miss(connection, missing(end.error, now))
    if end.state is RunState.INTERRUPTED:
        return ()
    drafts: list[Draft] = []
    for canary in await canaries.under_way(connection, run.target):
        if canary.run == run.id:
            drafts += await verdict(connection, canary, run, end, proof)
    return drafts


async def verdict(
    connection: AsyncConnection, canary: Canary, run: Run, end: Ending, proof: Sight | None
) -> Sequence[Draft]:
    """Judge a canary by what its run has left."""
    if end.state is not RunState.SUCCEEDED or end.heads != canary.after or proof is None:
        return await release(connection, canary, run.history, f"run {end.state}")
    return await judge(connection, canary, proof, run.history)


async def judge_orphans(
    engine: Engine,
    target: Target,
    session: Session,
    settled: Settlement,
    chosen: Iterable[Canary],
    *,
    going: str | None,
) -> None:
    """Judge those *chosen* of *target* whose run is gone; *session* holds its lock.

    *going* is the id of the run that is not; None where there is none. What is in doubt, a person
    settles first.
    """
    if settled.left:
        return
    for canary in chosen:
        if canary.run != going:
            await _judge_orphan(engine, target, session, settled, canary)


async def _judge_orphan(
    engine: Engine, target: Target, session: Session, settled: Settlement, canary: Canary
) -> None:
    seen = None
    if settled.heads == canary.after:
        seen = await engine.sights.look(session, settled.heads, at=engine.clock())
    async with engine.log.writing() as batch:
        if seen is None:
            why = f"run {canary.run} did not come to its end"
            drafts = await release(batch.connection, canary, target.history, why)
        else:
            drafts = await judge(batch.connection, canary, seen, target.history)
        await batch.append(*drafts)


async def judge(
    connection: AsyncConnection, canary: Canary, seen: Sight, history: str
) -> Sequence[Draft]:
    """Write down what came of a canary whose target stands where its plan ends.

    A schema that could not be read proves nothing: another target may be the canary then.
    """
    if seen.fingerprint is None:
        return await release(connection, canary, history, str(seen.problem))
    is_equal = seen.fingerprint.digest == canary.expected
    found = () if is_equal else await _difference(connection, canary, seen)
    state = CanaryState.PASSED if is_equal else CanaryState.FAILED
    judged = replace(canary, state=state, at=seen.at, difference=found)
    if not await canaries.judge(connection, judged):
        return ()
    await tell(connection, judged)
    facts: dict[str, JSON] = {"expected": canary.expected, "found": seen.fingerprint.digest}
    if is_equal:
        return [about(judged, Kind.CANARY_PASSED, history, **facts)]
    facts |= {"difference": found, "message": shortened(found)}
    return [about(judged, Kind.CANARY_FAILED, history, **facts)]


async def _difference(connection: AsyncConnection, canary: Canary, seen: Sight) -> tuple[str, ...]:
    assert seen.fingerprint is not None  # noqa: S101 - the caller has compared it
    was = await snapshots.find(connection, str(canary.expected))
    now = seen.snapshot or await snapshots.find(connection, seen.fingerprint.digest)
    if was is None or now is None:
        return ()
    return tuple(lines(difference(was, now), limit=LINES))


async def release(
    connection: AsyncConnection, canary: Canary, history: str, why: str
) -> Sequence[Draft]:
    """Forget a canary that proved nothing, and let others be it."""
    await canaries.drop(connection, canary)
    await tell(connection, replace(canary, state=CanaryState.MISSING))
    return [about(canary, Kind.CANARY_RELEASED, history, message=why)]


async def tell(connection: AsyncConnection, canary: Canary) -> None:
    """Let the clock turn to the targets that waited, or let their status say why not."""
    waiting = await targets.awaiting(connection, canary.plan)
    states = (await targets.all_to_change(connection, waiting)).values()
    still = [s for s in states if s.awaits == canary.plan and s.awaits_for is Wait.CANARY]
    if canary.state is CanaryState.FAILED:
        told = [replace(s, problem=failure(s.target, canary)) for s in still]
    else:
        told = [unbound(state) for state in still]
    await targets.save(connection, *told)


async def let_go(engine: Engine, names: Iterable[str]) -> None:
    """Let the clock turn to targets again that wait for a canary which nobody asks for any more."""
    async with engine.store.reading() as connection:
        waiting = await targets.waiting_for(connection, Wait.CANARY)
    if freed := sorted(set(waiting) & set(names)):
        async with engine.store.writing() as connection:
            states = (await targets.all_to_change(connection, freed)).values()
            still = [state for state in states if state.awaits_for is Wait.CANARY]
            await targets.save(connection, *map(unbound, still))


def unbound(state: TargetState) -> TargetState:
    """Return the state of a target whose plan waits for nobody."""
    return replace(state, awaits=None, awaits_scripts=None, awaits_for=None, problem=None)


def missing(error: CanaryNeededError, at: datetime) -> Canary:
    """Return what is written down of a plan that no canary is about to try."""
    return Canary(plan=error.plan, state=CanaryState.MISSING, at=at, reason=str(error))
