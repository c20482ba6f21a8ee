"""What was found in a plan, and what the settings make of it: warnings, or a refusal. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType


class Level(StrEnum):
    """What becomes of what a rule finds."""

    OFF = "off"  #: it is not shown
    WARN = "warn"  #: it is shown
    REFUSE = "refuse"  #: the plan does not start on any target


#: The rules of levelhead, and what each finds. Those of a linter have its name in front.
RULES: Mapping[str, str] = MappingProxyType(
    {
        "no-downgrade": "a revision that cannot be taken back: its `downgrade()` is missing, does "
        "nothing while `upgrade()` does something, or raises",
        "drop-table": "`DROP TABLE`, on the way up or down",
        "mixed-changes": "data and schema changed in one revision",
        "several-heads": "a history with several heads",
        "live-step": "steps whose SQL is not known beforehand",
    }
)

#: Stands before the names of squawk's rules.
PREFIX = "squawk:"

#: Its rules that are never asked, and what stands for each.
OMITTED: Mapping[str, str] = MappingProxyType(
    {
        "ban-drop-table": 'the rule "drop-table" finds the same in every dialect',
        "require-lock-timeout": "lock_timeout of the target is set for every session",
        "require-statement-timeout": "statement_timeout of the target is set for every session",
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that somebody should look at before the plan is carried out."""

    rule: str  #: ``"drop-table"``, or with the name of a linter: ``"squawk:ban-drop-column"``
    message: str  #: one line: what was found
    advice: str = ""  #: what to do instead; empty where the linter has none
    revision: str | None = None  #: None: the plan as a whole
    statement: int | None = None  #: its number in the step, from 1; None: the step as a whole

    def __str__(self) -> str:
        """Return all of it but the rule in one line."""
        place = f"{self.revision}: " if self.revision else ""
        place += f"statement {self.statement}: " if self.statement else ""
        return f"{place}{self.message}" + (f"; {self.advice}" if self.advice else "")


@dataclass(frozen=True, slots=True)
class Lint:
    """What was found in a plan, whatever the settings make of it."""

    findings: tuple[Finding, ...]
    omitted: str | None = None  #: one line: which rules do not fit the dialect
    failed: str | None = None  #: one line: which rules should have been asked, and why not
    source: str = ""  #: hash of what it hangs on besides the plan: linters, scripts

    @property
    def unasked(self) -> tuple[str, ...]:
        """Return one line for each linter whose rules were not applied."""
        return tuple(filter(None, (self.omitted, self.failed)))


def shown(lint: Lint, levels: Mapping[str, Level]) -> Lint:
    """Return what is shown of *lint*: all but what the settings switch off."""
    kept = (f for f in lint.findings if levels.get(f.rule) is not Level.OFF)
    return replace(lint, findings=tuple(kept))


def counts(findings: Sequence[Finding]) -> dict[str, int]:
    """Return how often each rule found something, by rule."""
    return dict(sorted(Counter(finding.rule for finding in findings).items()))
