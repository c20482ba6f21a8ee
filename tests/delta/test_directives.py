"""What Alembic's directives send, judged by others: Delta Lake, and a real workspace."""

from __future__ import annotations

import pytest

from tests.support.databricks_rows import Row
from tests.support.delta.judges import Judge
from tests.support.delta.trials import sending, tried
from tests.support.delta.verdicts import TAKES, verdicts

pytestmark = pytest.mark.delta


@pytest.mark.parametrize("row", sending(), ids=lambda row: row.call)
def test_says_what_the_reference_says(
    row: Row, judge: Judge, request: pytest.FixtureRequest
) -> None:
    """Delta Lake says what the table of the reference says; a workspace takes everything."""
    is_delta = request.node.callspec.params["judge"] == "delta"
    assert tried(judge, row) == (verdicts().get(row.call) if is_delta else TAKES)
