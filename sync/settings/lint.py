"""What becomes of the findings of each rule."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator

from sync.plan.findings import OMITTED, PREFIX, RULES, Level
from sync.settings.values import quote, suggest

_SQUAWK = re.compile(rf"{PREFIX}[a-z][a-z-]*")


def _rules(value: object) -> object:
    if not isinstance(value, dict):
        raise ValueError('must be a table such as { drop-table = "refuse" }')  # noqa: TRY004 - pydantic collects ValueError only
    for rule, level in value.items():
        _need_rule(str(rule))
        if level not in list(Level):
            raise ValueError(f'{rule} must be "off", "warn" or "refuse"')
    return value


def _need_rule(rule: str) -> None:
    if reason := OMITTED.get(rule.removeprefix(PREFIX)):
        raise ValueError(f"{quote(rule)} is never asked: {reason}")
    if rule not in RULES and not _SQUAWK.fullmatch(rule):
        hint = suggest(rule, RULES) or f"; known are {', '.join(RULES)}, and squawk:RULE"
        raise ValueError(f"no rule {quote(rule)}{hint}")


Levels = Annotated[dict[str, Level], BeforeValidator(_rules)]
