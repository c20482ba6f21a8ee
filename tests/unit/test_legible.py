"""What is made of characters that cannot be stored, or steer a terminal."""

from __future__ import annotations

import pytest

from providers.errors import ConnectError, LevelheadError
from providers.legible import legible, storable
from sync.plan.runner.recorder import Recorder

ODD = "é\t\x00\x1b[2J\x7f\x9b\r\ud800 ✓\n"


def test_an_error_can_be_stored_and_shown() -> None:
    """Whoever raises it: control characters are escapes, tabs and line ends are left."""
    said = "é\t\\x00\\x1b[2J\\x7f\\x9b\\r\\ud800 ✓\n"
    assert legible(ODD) == said == str(LevelheadError(ODD))
    error = ConnectError(ODD, target="db-1")
    assert (str(error), error.reason) == (f"db-1: {said}", said)


def test_what_is_stored_keeps_what_can_be() -> None:
    """SQL may hold control characters: only what no database text holds is an escape."""
    assert storable(ODD) == "é\t\\x00\x1b[2J\x7f\x9b\r\\ud800 ✓\n"


@pytest.mark.parametrize("odd", ["\x00", "\ud800"])
def test_a_plan_holds_nothing_that_is_written_otherwise_than_sent(odd: str) -> None:
    """A statement with such a character does not reach the shadow; its script hears why."""
    recorder = Recorder()
    with (
        pytest.raises(ValueError, match="which cannot be sent"),
        recorder.sending(lambda: ["SELECT 1", f"SELECT '{odd}'"]),
    ):
        pytest.fail("it was sent")
    assert recorder.texts() == []
