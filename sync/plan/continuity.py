"""What a step leaves behind in its session, and the steps after it count on: pure.

Under Alembic one session sees a whole path. Here it is ours for replayed steps and a runner's
for live ones. So where a step sets the session up for those after it, and not all of these are
sure to be replayed, they run live from there on, one after the other in one runner.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import sqlglot
from sqlglot.errors import SqlglotError

from sync.plan.model import Step, StepClass
from sync.plan.reads import SQLGLOT
from sync.plan.recording import Taken

#: First words of statements that change the session.
CHANGING = frozenset({"discard", "reset", "set", "use"})

#: Second words of those that end with their transaction.
FLEETING = frozenset({"constraints", "local", "transaction"})


def in_one_session(steps: Sequence[Step], taken: Sequence[Taken], dialect: str) -> list[Step]:
    """Return *steps*, those live that a replay would deprive of the session they count on.

    *taken* is what each of them sent on the shadow, as far as that could be seen.
    """
    changing = (place for place, each in enumerate(taken) if outlasts(each, dialect))
    first = next(changing, len(steps))
    if all(step.kind is StepClass.STATIC for step in steps[first:]):
        return list(steps)
    why = f"the session is as {steps[first].revision} has set it up"
    return [*steps[:first], *(live(step, why) for step in steps[first:])]


def live(step: Step, why: str) -> Step:
    """Return *step* as one whose script runs."""
    return replace(step, kind=StepClass.LIVE, why=(*step.why, why), blocks=(), fingerprint=None)


def outlasts(taken: Taken, dialect: str) -> bool:
    """Tell whether a step changes its session beyond its own end, as far as its texts tell."""
    return any(changes_session(sent.sql, dialect) for sent in taken.statements())


def changes_session(sql: str, dialect: str) -> bool:
    """Tell whether a text changes the session that it is sent on.

    A text that cannot be read is taken for one that does.
    """
    if "set_config" in sql.lower():
        return True
    try:
        tokens = sqlglot.tokenize(sql, read=SQLGLOT.get(dialect, dialect))
    except SqlglotError:
        return True
    return any(
        words[0] in CHANGING and words[1] not in FLEETING
        for words in beginnings(token.text.lower() for token in tokens)
    )


def beginnings(words: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Yield the first two words of each statement."""
    ahead: list[str] = []
    for word in [*words, ";"]:
        if word != ";":
            ahead.append(word)
            continue
        if ahead:
            yield ahead[0], ahead[1] if len(ahead) > 1 else ""
        ahead = []
