"""The canary: one target runs a plan's scripts before the plan is replayed anywhere.

What the scripts leave there is compared with what the plan, replayed, leaves on a shadow. That
proves something only where the target was like the shadow before. The control database keeps
one row for each plan: whoever writes it has chosen the canary, in whichever service.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NoReturn
from weakref import WeakValueDictionary

from sqlalchemy.ext.asyncio import AsyncConnection

from providers.errors import ShadowError
from sync.drift import difference, lines
from sync.election import Elections
from sync.errors import CanaryFailedError, CanaryNeededError, CanaryPendingError
from sync.events.chain import JSON, Draft
from sync.events.kinds import Kind
from sync.events.log import EventLog
from sync.fingerprints import LINES, TOLD, shortened
from sync.fresh import Fresh
from sync.gate import short
from sync.lease import Leases
from sync.model import Canary, CanaryState, Decision, PlanState, Run
from sync.plan.model import Plan, StepClass
from sync.plan.route import Route
from sync.store import approvals, canaries, runs, snapshots
from sync.trials import Trial, Trials, telling
from sync.visit import Visit


@dataclass(frozen=True, slots=True)
class Passage:
    """How a run may carry out its plan."""

    plan: Plan  #: all of it live where the run is the plan's canary
    approval: Decision | None = None  #: what lets it pass without a canary; None: not needed
    is_canary: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What the control database knows of a plan's canary."""

    canary: Canary | None
    said: Decision | None
    is_going: bool  #: the run of the canary is

    def is_decided(self) -> bool:
        """Tell whether a canary was chosen, be it that it has failed since."""
        return self.canary is not None and self.canary.state is not CanaryState.MISSING

    def settled(self) -> bool:
        """Tell whether nobody has to be tried any more, as it passed or a person said so."""
        if self.canary is None:
            return False
        return self.canary.state is CanaryState.PASSED or self.approved() is not None

    def approved(self) -> Decision | None:
        """Return the approval that was given after the canary failed, or was missing."""
        if self.canary is None or self.said is None or self.said.state is not PlanState.APPROVED:
            return None
        is_open = self.canary.state in (CanaryState.FAILED, CanaryState.MISSING)
        return self.said if is_open and self.said.at >= self.canary.at else None


class Canaries:
    """Chooses canaries, and keeps the others waiting."""

    def __init__(
        self, log: EventLog, leases: Leases, trials: Trials, *, clock: Callable[[], datetime]
    ) -> None:
        self._log = log
        self._leases = leases
        self._trials = trials
        self._clock = clock
        self.elections = Elections()
        self._looks: WeakValueDictionary[str, Fresh[Known]] = WeakValueDictionary()

    async def passage(self, run: Run, visit: Visit, plan: Plan, route: Route) -> Passage:
        """Return how *run* may carry out *plan*; where it may not yet, do not return.

        Raises:
            CanaryPendingError: Another target may try it first, here or in another service.
            CanaryFailedError: It came out different on its canary.
            CanaryNeededError: No target can be the canary, or none is about to.
            StampConflictError: Somebody moved the target meanwhile.
        """
        if not needs(plan, route):
            self.elections.forget(run)
            return Passage(plan)
        known = await self.known(plan.digest)
        if known.settled():
            self.elections.forget(run)
            return Passage(plan, known.approved())
        if known.canary and known.canary.run == run.id:
            return Passage(live(plan), is_canary=True)
        if known.is_decided():
            self.elections.forget(run)  # whoever waits must not be waited for
            refuse(known, run, plan)
        return await self._elected(run, visit, plan, route)

    async def known(self, plan: str) -> Known:
        """Return what is known of the canary of a plan, by digest.

        As many as wait for the same plan share a look.
        """
        look = self._looks.setdefault(plan, Fresh())
        return await look.get(lambda: self._look(plan))

    async def _look(self, plan: str) -> Known:
        async with self._log.store.reading() as connection:
            canary = await canaries.find(connection, plan)
            said = await approvals.decision(connection, plan)
            going = canary is not None and await self._is_going(connection, canary)
        return Known(canary, said, going)

    async def is_over(self, run: Run, error: CanaryPendingError) -> bool:
        """Tell whether what *run* waits for, for *error*, has ended one way or another."""
        known = await self.known(error.plan)
        if known.canary is None or known.canary.state is CanaryState.MISSING:
            is_expected = self.elections.expects(run, error.plan, error.canary)
            return known.settled() or not is_expected
        return known.canary.state is not CanaryState.CHOSEN or not known.is_going

    async def _is_going(self, connection: AsyncConnection, canary: Canary) -> bool:
        run = await runs.find(connection, canary.run) if canary.run else None
        if run is None or run.state not in runs.MOVING:
            return False
        return await self._leases.is_held(connection, run.target, run.id)

    async def _elected(self, run: Run, visit: Visit, plan: Plan, route: Route) -> Passage:
        """Let the run be the canary if it is its turn.

        Raises:
            CanaryPendingError: Another one may be.
            CanaryNeededError: None can.
        """
        named = route.history.canary
        if isinstance(named, str) and named != run.target:
            self.elections.forget(run)
            if self.elections.expects(run, plan.digest, named):
                raise pending(run, plan, named)
            raise needed(run, plan, f"waits for canary {named}: levelhead sync {named}")
        trial = await self._trial(run, visit, plan, route)
        unlike = await misfit(visit, trial, plan.dialect)
        self.elections.tell(run, plan.digest, unlike)
        is_named = named == run.target
        if unlike is None and (is_named or self.elections.is_first(run, plan.digest)):
            return await self._choose(run, plan, trial)
        if (ahead := self.elections.ahead(run, plan.digest)) and not is_named:
            raise pending(run, plan, ahead)
        told = listed(self.elections.misfits(run, plan.digest))
        raise needed(run, plan, f"has no canary, none is like the shadow: {told}; put one right")

    async def _trial(self, run: Run, visit: Visit, plan: Plan, route: Route) -> Trial:
        try:
            telling(await visit.session(), plan.dialect)  # before a shadow is made in vain
            return await visit.away(route.heads, self._trials.of(plan, route))
        except ShadowError as error:
            why = f"can have no canary: {error}; take canary out of history {plan.history}"
            raise needed(run, plan, why) from error

    async def _choose(self, run: Run, plan: Plan, trial: Trial) -> Passage:
        """Write down that *run* is the canary, unless another service has been faster.

        Raises:
            CanaryPendingError: It has.
        """
        canary = Canary(
            plan=plan.digest,
            state=CanaryState.CHOSEN,
            at=self._clock(),
            target=run.target,
            run=run.id,
            after=plan.after,
            expected=trial.after.fingerprint,
        )

        async def work(connection: AsyncConnection) -> tuple[bool, Sequence[Draft]]:
            if not await canaries.choose(connection, canary):
                return False, ()
            await snapshots.keep(connection, trial.after)
            return True, [about(canary, Kind.CANARY_CHOSEN, run.history)]

        if not await self._log.share(run.target, work):
            raise pending(run, plan, "another target")
        return Passage(live(plan), is_canary=True)


def needs(plan: Plan, route: Route) -> bool:
    """Tell whether *plan* may not be replayed untried: one that only runs scripts may."""
    is_replayed = any(step.kind is not StepClass.LIVE for step in plan.steps)
    return bool(route.history.canary) and is_replayed


def live(plan: Plan) -> Plan:
    """Return *plan* with its scripts in place of their SQL."""
    return replace(plan, steps=tuple(replace(s, kind=StepClass.LIVE) for s in plan.steps))


def refuse(known: Known, run: Run, plan: Plan) -> NoReturn:
    """Refuse *plan*, whose canary was chosen or has failed.

    Raises:
        CanaryPendingError: It is under way.
        CanaryNeededError: It was interrupted, or it failed.
    """
    canary = known.canary
    assert canary is not None  # noqa: S101 - the caller knows that
    if canary.state is CanaryState.FAILED:
        raise CanaryFailedError(failure(run.target, canary), plan=plan.digest)
    name = str(canary.target)
    if known.is_going:
        raise pending(run, plan, name)
    text = f"waits for canary {name}, whose run was interrupted: levelhead sync {name}"
    raise needed(run, plan, text)


def pending(run: Run, plan: Plan, name: str) -> CanaryPendingError:
    """Return the error of a run that waits for another target."""
    text = f"{run.target}: waits for canary {name} of plan {short(plan.digest)}"
    return CanaryPendingError(text, plan=plan.digest, canary=name)


def needed(run: Run, plan: Plan, why: str) -> CanaryNeededError:
    """Return the error of a run whose plan no canary is about to try."""
    name = short(plan.digest)
    return CanaryNeededError(
        f"{run.target}: plan {name} {why}, or levelhead approve {name}",
        plan=plan.digest,
    )


def listed(misfits: Sequence[tuple[str, str]]) -> str:
    """Return the first targets that cannot be a canary, and why, on one line."""
    told = [f"{name} ({how})" for name, how in misfits[:TOLD]]
    more = [f"and {len(misfits) - TOLD} more"] if len(misfits) > TOLD else []
    return "; ".join([*told, *more])


def failure(target: str, canary: Canary) -> str:
    """Return in one line why *target* may not replay a plan, and what to do."""
    plan = short(canary.plan)
    return (
        f"{target}: plan {plan} failed on its canary: on {canary.target} its scripts left another "
        f"schema than its replay on a shadow: {shortened(canary.difference)}; change the scripts, "
        f"or levelhead approve {plan}"
    )


async def misfit(visit: Visit, trial: Trial, dialect: str) -> str | None:
    """Return how the target differs from the shadow where the plan begins; None where equal."""
    session = telling(await visit.session(), dialect)
    if await session.fingerprint() == trial.before.fingerprint:
        return None
    found = lines(difference(trial.before, await session.snapshot()), limit=LINES)
    return shortened(tuple(found))


def about(canary: Canary, kind: Kind, history: str, **data: JSON) -> Draft:
    """Return an event about *canary*."""
    return Draft(
        kind=kind,
        actor="service",
        target=canary.target,
        history=history,
        run=canary.run,
        data={"plan": canary.plan, **data},
    )
