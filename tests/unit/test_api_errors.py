from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus

import pytest

from api.errors import STATUSES, code_of, status_of
from providers.errors import LevelheadError, UnknownTargetError
from sync.errors import TargetHeldError


def tree(root: type[LevelheadError]) -> Iterator[type[LevelheadError]]:
    """Yield *root* and every class under it."""
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


def test_every_error_has_a_status() -> None:
    """No error of the drawn trees is left to chance: each stands in the table."""
    drawn = ("providers.errors", "sync.errors")
    ours = {kind for kind in tree(LevelheadError) if kind.__module__ in drawn}
    assert ours == set(STATUSES)


def test_an_error_from_elsewhere_has_the_status_of_its_parent() -> None:
    """A provider of a third party, or an inner part of ours, may add to the tree."""

    class TheirsError(TargetHeldError):
        """Not in the table."""

    assert status_of(TheirsError) is HTTPStatus.CONFLICT


@pytest.mark.parametrize(
    ("kind", "code"),
    [(UnknownTargetError, "unknown-target"), (LevelheadError, "levelhead")],
)
def test_code(kind: type[LevelheadError], code: str) -> None:
    """A problem's type ends in the class's name, in words."""
    assert code_of(kind) == code
