"""Which targets a selection means."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from providers.errors import UnknownTargetError
from providers.types import Target
from sync.model import Selection
from sync.settings.values import quote, suggest


def select(
    targets: Mapping[str, Target], selection: Selection, patterns: Collection[str] = ()
) -> tuple[Target, ...]:
    """Return the targets that match everything in *selection*, in the order of the file.

    The name of one of *patterns* stands for all targets that were found by it. Empty when
    nothing matches; an empty selection matches all.

    Raises:
        UnknownTargetError: A target is named that is not configured, or a history
            that no target follows.
    """
    _check(selection.targets, {*targets, *patterns}, "there is no target")
    if selection.history is not None:
        followed = {target.history for target in targets.values()}
        _check((selection.history,), followed, "no target follows a history")
    return tuple(target for target in targets.values() if _matches(target, selection))


def _check(names: tuple[str, ...], known: Collection[str], complaint: str) -> None:
    wrong = [name for name in names if name not in known]
    if wrong:
        listed = ", ".join(f"{quote(name)}{suggest(name, known)}" for name in wrong)
        raise UnknownTargetError(f"{complaint} {listed}")


def _matches(target: Target, selection: Selection) -> bool:
    return (
        (not selection.targets or not {target.name, target.tenants}.isdisjoint(selection.targets))
        and selection.history in {None, target.history}
        and selection.labels.items() <= target.labels.items()
    )
