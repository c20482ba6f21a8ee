from __future__ import annotations

import pytest

from providers.errors import UnknownTargetError
from providers.types import Target
from sync.model import Selection
from sync.targets import select

TARGETS = {
    name: Target(
        name=name, history=history, dialect="memory", url="memory://", labels={"region": region}
    )
    for name, history, region in [
        ("orders-eu", "orders", "eu"),
        ("orders-us", "orders", "us"),
        ("users-eu", "users", "eu"),
    ]
}


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        (Selection(), ["orders-eu", "orders-us", "users-eu"]),
        (Selection(targets=("users-eu", "orders-eu")), ["orders-eu", "users-eu"]),
        (Selection(history="orders"), ["orders-eu", "orders-us"]),
        (Selection(labels={"region": "eu"}), ["orders-eu", "users-eu"]),
        (Selection(history="orders", labels={"region": "eu"}), ["orders-eu"]),
        (Selection(targets=("users-eu",), history="orders"), []),
        (Selection(labels={"tier": "1"}), []),
    ],
)
def test_all_that_is_given_must_match(selection: Selection, names: list[str]) -> None:
    """A selection means the targets that match every part of it, in the file's order."""
    assert [target.name for target in select(TARGETS, selection)] == names


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (
            Selection(targets=("orders-ue", "zzz")),
            'there is no target "orders-ue" (did you mean "orders-us" or "orders-eu"?), "zzz"',
        ),
        (
            Selection(history="order"),
            'no target follows a history "order" (did you mean "orders"?)',
        ),
    ],
)
def test_unknown_names_are_refused(selection: Selection, message: str) -> None:
    """A name that does not exist is an error that offers close ones, never an empty answer."""
    with pytest.raises(UnknownTargetError) as caught:
        select(TARGETS, selection)
    assert str(caught.value) == message
