from __future__ import annotations

from datetime import timedelta

import pytest

from providers.errors import ContentionError, OvertakenError, StatementError
from sync.retries import Retries

BUSY = ContentionError("canceling statement due to lock timeout", target="db-1", code="55P03")


class Course:
    """What happened in the course of some tries: failures to come, and what was done."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.told: list[tuple[int, timedelta]] = []
        self.slept: list[float] = []
        self.tries = 0

    async def act(self) -> None:
        """Fail as long as there is a failure to come."""
        self.tries += 1
        if self.failures:
            raise self.failures.pop(0)

    async def tell(self, error: ContentionError, number: int, pause: timedelta) -> None:
        """Hear of a retry, always before its pause."""
        assert error is BUSY
        assert len(self.slept) == len(self.told)
        self.told.append((number, pause))

    async def sleep(self, seconds: float) -> None:
        """Take note of a pause."""
        self.slept.append(seconds)

    async def run(self, draw: float = 1.0, **limits: int | timedelta) -> None:
        """Insist."""
        retries = Retries(sleep=self.sleep, draw=lambda: draw, **limits)  # type: ignore[arg-type]  # the fields are the test's own
        await retries.insist(self.act, self.tell)


async def test_nothing_in_the_way() -> None:
    """What succeeds at once is done once, and nothing is told."""
    course = Course()
    await course.run()
    assert (course.tries, course.told, course.slept) == (1, [], [])


async def test_until_it_succeeds() -> None:
    """Each retry is told ahead of its pause, with its number."""
    course = Course(BUSY, BUSY)
    await course.run()
    assert course.tries == 3
    assert [number for number, _ in course.told] == [1, 2]
    assert [pause.total_seconds() for _, pause in course.told] == course.slept


async def test_it_gives_up() -> None:
    """After the last retry the error is raised as it is, and no pause follows."""
    course = Course(*[BUSY] * 9)
    with pytest.raises(ContentionError) as caught:
        await course.run(most=3)
    assert caught.value is BUSY
    assert (course.tries, len(course.slept)) == (4, 3)


async def test_other_failures_are_final() -> None:
    """What the database refused for itself is not tried a second time."""
    course = Course(StatementError("no such table", target="db-1"))
    with pytest.raises(StatementError):
        await course.run()
    assert (course.tries, course.told) == (1, [])


@pytest.mark.parametrize("draw", [0.0, 0.25, 1.0])
async def test_pauses(draw: float) -> None:
    """Pauses double up to the longest, and are drawn from there down to nothing."""
    course = Course(*[BUSY] * 5)
    await course.run(draw, first=timedelta(seconds=1), longest=timedelta(seconds=5))
    assert course.slept == [seconds * draw for seconds in (1, 2, 4, 5, 5)]


async def test_a_look_ahead_of_each_retry() -> None:
    """What it finds can end the tries; it comes behind the pause, and never ahead of the first."""
    course = Course(BUSY, BUSY)

    async def look() -> None:
        assert len(course.slept) == course.tries
        if course.tries == 2:
            raise StatementError("moved", target="db-1")

    retries = Retries(sleep=course.sleep, draw=lambda: 1.0)
    with pytest.raises(StatementError, match="moved"):
        await retries.insist(course.act, course.tell, look=look)
    assert course.tries == 2


async def test_only_what_may_be_done_again() -> None:
    """Where no more than one kind may be, all else is raised at once."""
    course = Course(BUSY)
    retries = Retries(sleep=course.sleep, draw=lambda: 1.0)
    with pytest.raises(ContentionError):
        await retries.insist(course.act, course.tell, only=OvertakenError)
    assert (course.tries, course.told) == (1, [])
