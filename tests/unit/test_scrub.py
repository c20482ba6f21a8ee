from __future__ import annotations

import logging
import sys

from sync.scrub import ScrubbingFormatter, scrub


def test_every_known_secret_is_replaced() -> None:
    """No known secret is left in a text, wherever it stands."""
    assert scrub("a:s3cret@b s3cret", {"s3cret"}) == "a:***@b ***"


def test_a_secret_within_a_secret_leaves_no_rest() -> None:
    """The longer of two secrets goes first, so that no part of it stays."""
    assert scrub("pass-word", {"pass", "pass-word"}) == "***"


def test_a_short_secret_leaves_words_alone() -> None:
    """One of fewer than four characters is replaced where it is a password, and nowhere else."""
    said = "line 1 of test.py: postgresql://u:t@t:1/test?password=t&x=t, password=t dbname=t"
    assert scrub(f"{said}; CREATE ROLE t PASSWORD 't'", {"t", "1"}) == (
        "line 1 of test.py: postgresql://u:***@t:1/test?password=***&x=t, "
        "password=*** dbname=t; CREATE ROLE t PASSWORD '***'"
    )


def test_a_logged_traceback_holds_no_secret() -> None:
    """A surprise that carries a secret is logged without it."""
    try:
        raise ValueError("postgresql://u:s3cret@h/d")  # noqa: TRY301 - the test needs its traceback
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "boom s3cret", None, sys.exc_info())
    text = ScrubbingFormatter("%(message)s", {"s3cret"}).format(record)
    assert "ValueError" in text
    assert "s3cret" not in text
