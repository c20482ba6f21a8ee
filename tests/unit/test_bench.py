from __future__ import annotations

import asyncio
import time

import pytest

from bench.question import asked
from bench.rounds import spread, take_turns
from bench.sections.loop import watched
from bench.table import Bound, Limit, Row, table, verdict

SECTIONS = ("sweep", "loop")


async def test_who_goes_first_changes() -> None:
    """After a turn of each that does not count, each goes first in its rounds."""
    turns: list[str] = []

    async def ours() -> int:
        turns.append("ours")
        return len(turns)

    async def bare() -> int:
        turns.append("bare")
        return len(turns)

    rounds = await take_turns(ours, bare, rounds=3)
    assert turns == ["ours", "bare", "ours", "bare", "bare", "ours", "ours", "bare"]
    assert rounds == [(3, 4), (6, 5), (7, 8)]


def test_spread_is_the_median_and_the_extremes() -> None:
    """One slow value moves the most, not the median; the 99th percentile is one of the values."""
    found = spread([1.0, 9.0, 2.0])
    assert (found.median, found.least, found.most) == (2.0, 1.0, 9.0)
    assert spread([float(value) for value in range(1, 201)]).p99 == 198.0


async def test_a_loop_that_is_held_up_is_late_for_every_tick() -> None:
    """A stall counts for its whole length, not as one late tick."""
    async with watched() as lags:
        await asyncio.sleep(0.02)
        before = len(lags)
        time.sleep(0.1)  # noqa: ASYNC251 - the stall
        await asyncio.sleep(0.001)
    assert len(lags) - before >= 15
    assert max(lags) >= 0.08


@pytest.mark.parametrize(
    ("limit", "is_missed"),
    [
        (None, False),
        (Limit(Bound.UNDER, 15), True),
        (Limit(Bound.UNDER, 15.1), False),
        (Limit(Bound.AT_MOST, 15), False),
        (Limit(Bound.AT_MOST, 14), True),
        (Limit(Bound.AT_LEAST, 15), False),
        (Limit(Bound.AT_LEAST, 16), True),
    ],
)
def test_a_figure_reaches_its_limit_or_misses_it(limit: Limit | None, *, is_missed: bool) -> None:
    """Under is strict, the other bounds are not; without a limit nothing is missed."""
    assert Row(work="it", figure=15, unit="ms", limit=limit).is_missed is is_missed


def test_the_table_says_what_is_missed() -> None:
    """Each row shows what must be reached, and a miss stands out."""
    rows = [
        Row(work="quick", figure=1.25, unit="ms", digits=1, limit=Limit(Bound.UNDER, 15)),
        Row(work="slow", figure=60, unit="ms", limit=Limit(Bound.UNDER, 50)),
        Row(work="told", figure=80.4, unit="MiB"),
    ]
    assert [line.split() for line in table(rows)][1:] == [
        ["quick", "1.2", "ms", "under", "15", "ms", "yes"],
        ["slow", "60", "ms", "under", "50", "ms", "MISSED"],
        ["told", "80", "MiB"],
    ]
    assert verdict(rows) == "missed: slow"
    assert verdict(rows[:1]) == "nothing was missed"


def test_the_command_repeats_the_question() -> None:
    """What is printed as the command asks for the same again; without sections, for all."""
    question = asked(["loop", "--rounds", "3"], SECTIONS)
    assert (question.only, question.rounds, question.targets) == (("loop",), 3, 200)
    assert asked(question.command.split()[3:], SECTIONS) == question
    assert asked([], SECTIONS).only == SECTIONS


@pytest.mark.parametrize("words", [["elsewhere"], ["--rounds", "0"], ["--rounds", "many"]])
def test_a_question_that_makes_no_sense_is_refused(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """An unknown section and a size that measures nothing end the command."""
    with pytest.raises(SystemExit) as ended:
        asked(words, SECTIONS)
    assert ended.value.code == 2
    assert "error: " in capsys.readouterr().err
