"""What the default command leaves out: `-m histories` runs it, as `just test-histories` does."""

from __future__ import annotations

import pytest

LEFT_OUT = "histories"


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line(
        "markers", f"{LEFT_OUT}: installs public packages into environments of their own first"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what has the mark, unless the mark is asked for."""
    if LEFT_OUT in config.getoption("markexpr"):
        return
    left_out = [item for item in items if item.get_closest_marker(LEFT_OUT)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
