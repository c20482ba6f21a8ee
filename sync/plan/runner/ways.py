"""What can be told of a script without running it: whether it can be taken back."""

from __future__ import annotations

import ast
from pathlib import Path


def way_back(path: str) -> str:
    """Tell of a script's ``downgrade()``: written, missing, empty, raises or unknown.

    Where ``upgrade()`` does nothing either, as in a merge, there is nothing to write.
    """
    try:
        body = ast.parse(Path(path).read_bytes()).body
    except (OSError, SyntaxError, ValueError):  # compiled scripts have no source
        return "unknown"
    if "downgrade" not in names(body):
        return "missing"
    functions = {one.name: one.body for one in body if isinstance(one, ast.FunctionDef)}
    back = functions.get("downgrade")
    if back is None:
        return "unknown"  # imported, or made by a call
    if any(isinstance(statement, ast.Raise) for statement in back):
        return "raises"
    ahead = functions.get("upgrade")
    does_nothing = not does_something(back) and (ahead is None or does_something(ahead))
    return "empty" if does_nothing else "written"


def names(body: list[ast.stmt]) -> set[str]:
    """Return the names that a module defines, at whatever depth."""
    found = set()
    for node in ast.walk(ast.Module(body=body, type_ignores=[])):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.alias):
            found.add(node.asname or node.name)
    return found


def does_something(body: list[ast.stmt]) -> bool:
    """Tell whether a function does more than return."""
    return not all(map(is_idle, body))


def is_idle(statement: ast.stmt) -> bool:
    """Tell whether a statement does nothing: a docstring, ``...``, ``pass``, a bare return."""
    if isinstance(statement, (ast.Expr, ast.Return)):
        return statement.value is None or isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Pass)
