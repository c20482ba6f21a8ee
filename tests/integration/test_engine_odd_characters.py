"""Characters that no database text can hold, in what scripts say and send."""

from __future__ import annotations

import pytest

from sync.model import RunState
from tests.support.engine import at, opened_runtime, settings_for, status, swept, tables
from tests.support.histories import Scripts

RAISES = r'raise RuntimeError("a\x00b\x1b[2J\ud800")'
SENDS = r'op.execute("CREATE TABLE a2 (); -- {}")'


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (RAISES, r"RuntimeError: a\x00b\x1b[2J\ud800"),
        (
            SENDS.format(r"\x00"),
            "ValueError: the SQL holds U+0000, which cannot be sent; take it out",
        ),
        (
            SENDS.format(r"\ud800"),
            "ValueError: the SQL holds U+D800, which cannot be sent; take it out",
        ),
    ],
    ids=["raises", "sends NUL", "sends half a pair"],
)
async def test_what_no_text_can_hold(
    scripts: Scripts, url: str, control_url: str, body: str, error: str
) -> None:
    """The run fails in one line that shows it escaped, and the clock does not try again."""
    scripts.add_tables("a1")
    scripts.add("a2", body)
    line = f"history app: {error} (a2.py, line 11, in upgrade)"
    async with opened_runtime(settings_for(scripts, [url], control=control_url)) as runtime:
        (run,) = await swept(runtime)
        assert (run.state, run.after, run.error) == (RunState.FAILED, at("a1"), line)
        assert (await status(runtime)).problem == line
        assert await runtime.sweep() is None
        assert await runtime.verify() > 0
    assert await tables(url) == {"alembic_version", "a1"}
