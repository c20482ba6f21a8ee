from __future__ import annotations

import inspect
from types import ModuleType

import pytest

from providers import errors as provider_errors
from providers.errors import (
    LevelheadError,
    ProviderError,
    StampConflictError,
    StatementError,
    UnknownTargetError,
)
from sync import errors as sync_errors

MODULES = [provider_errors, sync_errors]


def drawn_tree(module: ModuleType) -> dict[str, str | None]:
    """Return class name -> name of its parent, as the module's docstring draws it."""
    parents: dict[str, str | None] = {}
    above: list[tuple[int, str]] = []
    for line in (module.__doc__ or "").splitlines():
        name = line.strip().partition(" ")[0]
        if not name.endswith("Error"):
            continue
        indent = len(line) - len(line.lstrip())
        above = [entry for entry in above if entry[0] < indent]
        parents[name] = above[-1][1] if above else None
        above.append((indent, name))
    return parents


@pytest.mark.parametrize("module", MODULES)
def test_the_drawing_is_the_tree(module: ModuleType) -> None:
    """Each class of the module is drawn in its docstring, below the class it derives from."""
    drawn = drawn_tree(module)
    own = [
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if kind.__module__ == module.__name__
    ]
    assert {kind.__name__ for kind in own} == set(drawn)
    for kind in own:
        parent = drawn[kind.__name__]
        assert parent is None or parent in {base.__name__ for base in kind.__mro__[1:]}


@pytest.mark.parametrize(
    ("branch", "code"),
    [
        ("ConfigError", 2),
        ("ProviderError", 3),
        ("PlanError", 4),
        ("RunError", 5),
        ("AuditError", 6),
    ],
)
def test_exit_codes(branch: str, code: int) -> None:
    """Each branch has one exit code, and every class on it has the same."""
    root = next(getattr(module, branch) for module in MODULES if hasattr(module, branch))
    assert issubclass(root, LevelheadError)
    for module in MODULES:
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, root):
                assert kind.__dict__.get("exit_code", code) == code
                assert root.exit_code == code


def test_provider_errors_name_their_target() -> None:
    """A provider's error begins with the name of the target, which it also carries."""
    error = ProviderError("it is gone", target="orders")
    assert (str(error), error.target) == ("orders: it is gone", "orders")


def test_conflict_says_what_next() -> None:
    """A conflict shows what was expected, what was found, and the command to look with."""
    error = StampConflictError(
        target="orders", expected=frozenset({"b", "a"}), found=frozenset({"c"})
    )
    assert str(error) == (
        "orders: expected heads ['a', 'b'], found ['c']; run levelhead status orders"
    )


def test_objects_cannot_be_changed() -> None:
    """What a statement error says of names is a copy that nobody changes."""
    names = {"table": "users"}
    error = StatementError("no", target="orders", objects=names)
    names["table"] = "other"
    assert error.objects == {"table": "users"}
    with pytest.raises(TypeError):
        error.objects["table"] = "other"  # type: ignore[index]


def test_unknown_target_is_a_configuration_error() -> None:
    """Exit codes follow the branch."""
    assert UnknownTargetError("x").exit_code == 2
