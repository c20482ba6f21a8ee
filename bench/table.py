"""Figures beside what they must reach, as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum


class Bound(Enum):
    """How a figure and its limit must compare."""

    UNDER = "under"
    AT_MOST = "at most"
    AT_LEAST = "at least"

    def holds(self, figure: float, limit: float) -> bool:
        """Tell whether *figure* is within *limit*."""
        match self:
            case Bound.UNDER:
                return figure < limit
            case Bound.AT_MOST:
                return figure <= limit
            case Bound.AT_LEAST:
                return figure >= limit


@dataclass(frozen=True, slots=True)
class Limit:
    """What a figure must reach, in the figure's own unit."""

    bound: Bound
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of the table."""

    work: str
    figure: float
    unit: str
    digits: int = 0  #: after the point
    limit: Limit | None = None  #: None: nothing was promised

    @property
    def is_missed(self) -> bool:
        """Whether the figure does not reach what it must."""
        return self.limit is not None and not self.limit.bound.holds(self.figure, self.limit.value)

    def cells(self) -> tuple[str, str, str, str]:
        """Return work, figure, what it must reach, and whether it does."""
        figure = f"{self.figure:.{self.digits}f} {self.unit}"
        if self.limit is None:
            return self.work, figure, "", ""
        met = "MISSED" if self.is_missed else "yes"
        return self.work, figure, f"{self.limit.bound.value} {self.limit.value:g} {self.unit}", met


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What one section found."""

    title: str
    lines: tuple[str, ...]  #: the figures behind the rows, and what they stand beside
    rows: tuple[Row, ...]


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of the table."""
    lines = [("work", "figure", "must reach", "met"), *(row.cells() for row in rows)]
    work, figure, reach, _ = (max(map(len, column)) for column in zip(*lines, strict=True))
    for line in lines:
        yield f"{line[0]:<{work}}  {line[1]:>{figure}}  {line[2]:<{reach}}  {line[3]}".rstrip()


def verdict(rows: Sequence[Row]) -> str:
    """Return one line that says what was missed."""
    missed = [row.work for row in rows if row.is_missed]
    return f"missed: {'; '.join(missed)}" if missed else "nothing was missed"
