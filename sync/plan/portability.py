"""What becomes of a history on another kind of database: told by its scripts, with none at hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Fate(StrEnum):
    """What comes of a directive."""

    SENT = "sent"  #: a statement
    SKIPPED = "skipped"  #: it has no counterpart
    NOTED = "noted"  #: something to know of what is sent
    REFUSED = "refused"  #: it would come out wrong, or must not be skipped
    UNKNOWN = "unknown"  #: the script wants a database; nobody knows what it does from there on


@dataclass(frozen=True, slots=True)
class Outcome:
    """One thing that comes of a revision."""

    fate: Fate
    kind: str  #: of a skip or a note, such as ``"index"``; else empty
    text: str


@dataclass(frozen=True, slots=True)
class Surveyed:
    """One revision, and all that comes of its upgrade, in order."""

    revision: str
    message: str
    file: str
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Portability:
    """All revisions of a history, first one first, as they come out on a dialect."""

    history: str
    dialect: str
    revisions: tuple[Surveyed, ...]
    kinds: Mapping[str, str]  #: kind of skip that occurs -> what is lost, and the usual choice

    def counts(self) -> Counter[Fate]:
        """Return how often each fate occurs."""
        return Counter(each.fate for revision in self.revisions for each in revision.outcomes)

    @property
    def holds(self) -> bool:
        """Whether nothing is refused."""
        return not self.counts()[Fate.REFUSED]


def portability_from(history: str, dialect: str, said: Mapping[str, Any]) -> Portability:
    """Return what a runner has said of a history."""
    revisions = tuple(map(surveyed_from, said["revisions"]))
    found = {each.kind for revision in revisions for each in revision.outcomes}
    kinds = {kind: lost for kind, lost in said["kinds"].items() if kind in found}
    return Portability(history, dialect, revisions, kinds)


def surveyed_from(said: Mapping[str, Any]) -> Surveyed:
    """Return what a runner has said of one revision."""
    outcomes = tuple(Outcome(Fate(fate), kind, text) for fate, kind, text in said["outcomes"])
    return Surveyed(said["id"], said["message"], said["file"], outcomes)
