"""What people write in options, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
import typer

from sync.cli.options import one_revision, parse_labels, parse_moment, parse_revision

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_labels() -> None:
    """A label is everything up to the first equals sign, and everything after it."""
    assert parse_labels(["region=eu", "q=a=b", "empty="]) == {
        "region": "eu",
        "q": "a=b",
        "empty": "",
    }


@pytest.mark.parametrize("pairs", [["region"], ["=eu"], ["a=1", "a=2"]])
def test_bad_labels(pairs: list[str]) -> None:
    """A label without key or equals sign, or with two values, is refused."""
    with pytest.raises(typer.BadParameter):
        parse_labels(pairs)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("2h", NOW - timedelta(hours=2)),
        ("7d", NOW - timedelta(days=7)),
        ("2026-02-01", datetime(2026, 2, 1, tzinfo=UTC)),
        ("2026-02-01T10:00", datetime(2026, 2, 1, 10, tzinfo=UTC)),
        ("2026-02-01T10:00+02:00", datetime(2026, 2, 1, 10, tzinfo=timezone(timedelta(hours=2)))),
        (None, None),
    ],
)
def test_moments(text: str | None, moment: datetime | None) -> None:
    """A moment is an age, or ISO 8601 in UTC where it names no zone."""
    assert parse_moment(text, NOW) == moment


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "99999999999d"])
def test_bad_moments(text: str) -> None:
    """What is neither an age nor a date is refused."""
    with pytest.raises(typer.BadParameter, match="expected an age"):
        parse_moment(text, NOW)


def test_revisions_with_a_dash() -> None:
    """A number with a dash is a revision; a word with a dash is an option nobody knows."""
    assert parse_revision("-1") == "-1"
    assert parse_revision("base") == "base"
    with pytest.raises(typer.BadParameter, match="no such option"):
        parse_revision("--jsn")


@pytest.mark.parametrize(("positional", "option"), [(None, None), ("a1", "b2")])
def test_one_revision(positional: str | None, option: str | None) -> None:
    """A revision is given once: as an argument or as an option."""
    with pytest.raises(typer.BadParameter, match="expected one revision"):
        one_revision(positional, option)
    assert one_revision("a1", None) == one_revision(None, "a1") == "a1"
