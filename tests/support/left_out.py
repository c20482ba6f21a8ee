"""Marks that the default command leaves out: `-m NAME` runs them, as `just test-NAME` does."""

from __future__ import annotations

import pytest

LEFT_OUT = {
    "histories": "installs public packages into environments of their own first",
    "delta": "runs Spark with Delta Lake, which Maven fetches first",
}


def pytest_configure(config: pytest.Config) -> None:
    """Make the marks known."""
    for mark, what in LEFT_OUT.items():
        config.addinivalue_line("markers", f"{mark}: {what}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what has one of the marks, unless that mark is asked for."""
    closed = [mark for mark in LEFT_OUT if mark not in config.getoption("markexpr")]
    left_out = [item for item in items if any(map(item.get_closest_marker, closed))]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
