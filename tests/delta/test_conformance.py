"""The conformance suite on a judge: heads, statements and stamps, as far as nothing goes wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from providers.base import Session
from tests.conformance.test_execute import (
    test_goes_on_after_a_refusal,
    test_leaves_the_version_table_alone,
    test_receipt,
    test_refused,
    test_resolve_never_sent,
    test_runs_in_the_schema_of_the_target,
    ticket,
)
from tests.conformance.test_heads import (
    test_missing_table,
    test_named_table,
    test_read_again,
    test_rows,
    test_schemas,
)
from tests.conformance.test_stamp import (
    test_base_to_base,
    test_conflict,
    test_conflict_creates_no_table,
    test_creates_the_table,
    test_goes_on_after_a_conflict,
    test_replaces,
)
from tests.delta.adapter import JudgeAdapter
from tests.support.delta.judges import Judge

pytestmark = pytest.mark.delta

__all__ = [
    "test_base_to_base",
    "test_conflict",
    "test_conflict_creates_no_table",
    "test_creates_the_table",
    "test_goes_on_after_a_conflict",
    "test_goes_on_after_a_refusal",
    "test_leaves_the_version_table_alone",
    "test_missing_table",
    "test_named_table",
    "test_read_again",
    "test_receipt",
    "test_refused",
    "test_replaces",
    "test_resolve_never_sent",
    "test_rows",
    "test_runs_in_the_schema_of_the_target",
    "test_schemas",
    "ticket",
]


@pytest.fixture
async def adapter(judge: Judge) -> AsyncIterator[JudgeAdapter]:
    """Give an empty schema of the judge."""
    made = JudgeAdapter(judge)
    await made.prepare()
    try:
        yield made
    finally:
        await made.provider.aclose()
        await made.forget()


@pytest.fixture
async def session(adapter: JudgeAdapter) -> AsyncIterator[Session]:
    """Give a session on the adapter's target."""
    async with adapter.provider.open(adapter.target) as opened:
        yield opened
