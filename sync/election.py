"""Which target of a rollout is the canary: the first by name of those that can be.

All runs of a rollout go on in one process, so this is kept in memory. A target counts as
expected until its run has come to its plan; none that waits for others is, so nobody waits in
a circle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sync.model import Run


class Elections:
    """What is known of the targets of each rollout that is under way."""

    def __init__(self) -> None:
        self._expected: dict[str, set[str]] = defaultdict(set)  #: rollout -> targets
        #: Rollout -> target -> the plan that it has come to, and why it cannot be its canary.
        self._told: dict[str, dict[str, tuple[str, str | None]]] = defaultdict(dict)

        #: Rollout -> plan and target -> the same, of runs that have ended too.
        self._misfits: dict[str, dict[tuple[str, str], str]] = defaultdict(dict)

    def expect(self, rollout: str, targets: Iterable[str]) -> None:
        """Reckon with runs of a rollout that are about to be requested."""
        self._expected[rollout] |= set(targets)

    def expects(self, run: Run, plan: str, target: str) -> bool:
        """Tell whether *target* can be the canary of *plan*, in the rollout of *run*."""
        return target in self._able(run, plan)

    def tell(self, run: Run, plan: str, misfit: str | None) -> None:
        """Say that *run* has come to *plan*, and why its target cannot be the canary."""
        self._expected[run.rollout].discard(run.target)
        self._told[run.rollout][run.target] = (plan, misfit)
        if misfit is not None:
            self._misfits[run.rollout][plan, run.target] = misfit

    def forget(self, run: Run) -> None:
        """Reckon with *run* no more."""
        self.dismiss(run.rollout, run.target)

    def dismiss(self, rollout: str, target: str) -> None:
        """Reckon with a target no more that the rollout has left out, or whose run has ended."""
        if rollout in self._expected:
            self._expected[rollout].discard(target)
        self._told.get(rollout, {}).pop(target, None)
        if not self._expected.get(rollout) and not self._told.get(rollout):
            self._expected.pop(rollout, None)
            self._told.pop(rollout, None)
            self._misfits.pop(rollout, None)

    def is_first(self, run: Run, plan: str) -> bool:
        """Tell whether no target with a smaller name can be the canary of *plan*."""
        return not any(name < run.target for name in self._able(run, plan))

    def ahead(self, run: Run, plan: str) -> str | None:
        """Return the first target that can be the canary; None where none but *run*'s may."""
        return min((name for name in self._able(run, plan) if name != run.target), default=None)

    def misfits(self, run: Run, plan: str) -> list[tuple[str, str]]:
        """Return the targets that cannot be, and why not, by name."""
        found = self._misfits.get(run.rollout, {}).items()
        return sorted((name, why) for (whose, name), why in found if whose == plan)

    def _able(self, run: Run, plan: str) -> set[str]:
        told = self._told.get(run.rollout, {}).items()
        fit = {name for name, (whose, why) in told if whose == plan and why is None}
        return fit | self._expected.get(run.rollout, set())
