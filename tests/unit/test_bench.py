from __future__ import annotations

from bench.report import Measurement, Question, render
from bench.rounds import Round, alternate, spread


async def test_each_goes_first_in_every_second_round() -> None:
    """After a turn of each that does not count, the two take turns in going first."""
    turns: list[str] = []

    async def sweep() -> None:
        turns.append("sweep")

    async def bare() -> None:
        turns.append("bare")

    rounds = await alternate(sweep, bare, rounds=3)
    assert len(rounds) == 3
    assert turns == ["sweep", "bare", "sweep", "bare", "bare", "sweep", "sweep", "bare"]


def test_spread_is_the_median_and_the_extremes() -> None:
    """One slow round moves the most, not the median."""
    assert spread([1.0, 9.0, 2.0]).median == 2.0
    assert (spread([1.0, 9.0, 2.0]).least, spread([1.0, 9.0, 2.0]).most) == (1.0, 9.0)


def test_report_compares_within_pairs_and_says_how_to_repeat() -> None:
    """The ratio is the median of the rounds' ratios; the command repeats the question."""
    question = Question(targets=3, width=2, rounds=3)
    rounds = [Round(2.0, 1.0), Round(9.0, 3.0), Round(1.2, 1.0)]
    lines = list(render(question, Measurement(rounds=rounds, memory=80.4, postgres=15)))
    assert any(line.startswith("ratio") and " 2.00 " in line for line in lines)
    assert any(line.startswith("sweep") and " 2000 ms" in line for line in lines)
    assert any(line.startswith("memory") and " 80 MiB" in line for line in lines)
    assert lines[-1] == "repeat: python -m bench --targets 3 --width 2 --rounds 3"
