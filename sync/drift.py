"""How a live schema differs from the recorded one: pure, from two snapshots to lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile

from providers.types import Snapshot

#: Characters of a definition in a line; of a longer one, those around the first difference.
_WIDTH = 80
_LEAD = 20

#: Kinds of objects whose parts are objects too: ``table a`` has ``column a.b``.
_WITH_PARTS = ("schema", "table", "view", "type")


@dataclass(frozen=True, slots=True)
class Difference:
    """What one schema has and another has not; false where they are equal."""

    added: Mapping[str, str]  #: object -> its definition, where only the live schema has it
    dropped: Mapping[str, str]  #: the same, where only the recorded one has it
    changed: Mapping[str, tuple[str, str]]  #: object -> its recorded and its live definition

    def __bool__(self) -> bool:
        return bool(self.added or self.dropped or self.changed)


def difference(recorded: Snapshot, live: Snapshot) -> Difference:
    """Compare two snapshots object by object."""
    old, new = recorded.objects, live.objects
    return Difference(
        added={name: new[name] for name in new.keys() - old.keys()},
        dropped={name: old[name] for name in old.keys() - new.keys()},
        changed={
            name: (old[name], new[name])
            for name in old.keys() & new.keys()
            if old[name] != new[name]
        },
    )


def lines(found: Difference, *, limit: int) -> list[str]:
    """Return *found* in words, such as ``~ column users.email: text not null -> text``.

    They are in the order of the objects' names, so that what concerns a table stands together.
    What is added or dropped as a part of something else, such as a column with its table, is
    counted there. Beyond *limit* lines one more tells how many are left out.
    """
    told = sorted(_lines(found))
    shown = [line for _, line in told[:limit]]
    left = len(told) - len(shown)
    return [*shown, f"... and {left} more"] if left else shown


def _lines(found: Difference) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield each line after what it is sorted by."""
    for mark, objects in (("+", found.added), ("-", found.dropped)):
        parts = Counter(_whole(name, objects) for name in objects)
        for name, definition in objects.items():
            if _whole(name, objects) == name:
                more = _counted(parts[name] - 1)
                yield _place(name), f"{mark} {name}: {_short(definition)}{more}"
    for name, (old, new) in found.changed.items():
        yield _place(name), f"~ {name}: {_change(old, new)}"


def _whole(name: str, objects: Mapping[str, str]) -> str:
    """Return which of *objects* the one of that name is a part of; itself where it is of none."""
    rest, _ = _place(name)
    ends = (at for at, character in enumerate(rest) if character == ".")
    candidates = (f"{kind} {rest[:at]}" for at in ends for kind in _WITH_PARTS)
    return next((whole for whole in candidates if whole in objects), name)


def _place(name: str) -> tuple[str, str]:
    """Return the name without its kind, and the kind."""
    kind, _, rest = name.partition(" ")
    return rest, kind


def _counted(parts: int) -> str:
    if not parts:
        return ""
    return ", and 1 part of it" if parts == 1 else f", and {parts} parts of it"


def _change(old: str, new: str) -> str:
    before, after = _squeezed(old), _squeezed(new)
    if before == after:
        return "differs in white space"
    pairs = zip(before, after, strict=False)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return f"{_short(before, same)} -> {_short(after, same)}"


def _short(text: str, at: int = 0) -> str:
    """Return *text* in one line; of a long one, what stands around *at*."""
    flat = _squeezed(text)
    if len(flat) <= _WIDTH:
        return flat
    start = max(0, min(at - _LEAD, len(flat) - _WIDTH))
    head = "..." if start else ""
    tail = "..." if start + _WIDTH < len(flat) else ""
    return f"{head}{flat[start : start + _WIDTH]}{tail}"


def _squeezed(text: str) -> str:
    return " ".join(text.split())
