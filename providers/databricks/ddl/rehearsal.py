"""Running a revision's function without a database, to find what will be refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal

from alembic import op
from alembic.operations import BatchOperations, Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Dialect

from .implementation import Directives, recreation_refused
from .notes import Note
from .refusals import RefusedDirectiveError
from .skips import Skip


class Rehearsal(Directives):
    """Compiles directives; sends nothing, and says nothing of skips."""

    def skip(self, skip: Skip) -> None:
        """Keep still: the directive does not run yet."""

    def note(self, note: Note) -> None:
        """Keep still, as above."""

    def static_output(self, text: str) -> None:
        """Write nothing."""

    def _exec(self, *_: Any, **__: Any) -> None:  # noqa: ANN401 - Alembic's own arguments
        """Send nothing."""


def rehearse(script_fn: Callable[..., Any], dialect: Dialect) -> None:
    """Run the ``upgrade`` or ``downgrade`` of a revision with nothing behind it.

    A script that fails here for another reason, say because it reads data, is left to the live
    run from there on: what it would do afterwards is not known.

    Args:
        script_fn: The function of the revision; it runs to its end, or to its first read.
        dialect: That of the target's engine.

    Raises:
        RefusedDirectiveError: The script holds a directive that would be refused.
    """
    context = MigrationContext(dialect, None, {"as_sql": True})
    context.impl = Rehearsal(dialect, None, True, False, None, {})  # noqa: FBT003 - Alembic's own signature
    with _in_place(context):
        try:
            script_fn()
        except RefusedDirectiveError:
            raise
        except Exception:  # noqa: BLE001, S110 - scripts raise what they like; the live run tells
            pass


@contextmanager
def _in_place(context: MigrationContext) -> Iterator[None]:
    """Let `alembic.op` work on *context*, and afterwards on what it worked on before."""
    outer, operations = getattr(op, "_proxy", None), Operations(context)
    setattr(operations, "batch_alter_table", _batches(operations))  # noqa: B010 - no subclass can be a proxy
    operations._install_proxy()  # noqa: SLF001 - Operations.context() does not restore
    try:
        yield
    finally:
        operations._remove_proxy()  # noqa: SLF001 - as above
        if outer is not None:
            outer._install_proxy()  # noqa: SLF001 - as above


def _batches(operations: Operations) -> Callable[..., AbstractContextManager[BatchOperations]]:
    """Return `batch_alter_table` that refuses to copy a table before it looks at that table."""
    original = operations.batch_alter_table

    def batch(
        table_name: str,
        schema: str | None = None,
        recreate: Literal["auto", "always", "never"] = "auto",
        **more: Any,  # noqa: ANN401 - Alembic's own arguments
    ) -> AbstractContextManager[BatchOperations]:
        if recreate == "always":
            raise recreation_refused(table_name)
        return original(table_name, schema, recreate, **more)

    return batch
