"""What env.py has a part in: what it sends ahead of every replay, and why there may be none."""

from __future__ import annotations

from collections.abc import Iterator

from providers.types import Target
from sync.plan.reads import Looks, placed, reading
from sync.plan.recording import Recording, Sent, Taken

#: How statements begin that set up a session, and those that make what may be there already.
SETTING = ("set ", "use ", "select set_config(", "select pg_catalog.set_config(")
PASSING = ("set local ", "set transaction ", "set constraints ")
MAKING = ("create schema", "create extension")

#: What has a result, or is a question that env.py asks on a connection of its own.
ASKING = ("select", "with", "show", "describe", "explain", "values", "table")


def of_env(recording: Recording, target: Target) -> Iterator[str]:
    """Yield why no step at all can be replayed: env.py has a part in what happens."""
    for taken in (recording.ahead, recording.behind):
        yield from taken.reasons
    yield from told(recording, target, Looks.DATA)
    for sql in (*changes(recording.ahead), *changes(recording.behind)):
        if not is_setting(sql) and sql not in made_before(recording):
            yield f"env.py sends SQL of its own: {beginning(sql)}"


def of_first(recording: Recording, target: Target) -> Iterator[str]:
    """Yield why the first step is live: hook and env.py run with its script, ahead of the rest.

    On connections of their own, or by what they find, they may do to the target whatever they
    think necessary.
    """
    changed = [
        sql
        for sql in recording.aside
        if not (is_question(sql) or is_setting(sql) or is_repeatable(sql))
    ]
    yield from (f"hook or env.py changes something first: {beginning(sql)}" for sql in changed)
    if not changed:
        yield from told(recording, target, Looks.CATALOG)


def told(recording: Recording, target: Target, kind: Looks) -> Iterator[str]:
    """Yield what hook and env.py have looked at, of one kind."""
    for sent in asked(recording):
        found = reading(sent.sql, target)
        if found.looks is kind:
            yield placed(f"hook or env.py {found.what}", sent.place)


def asked(recording: Recording) -> Iterator[Sent]:
    """Yield what env.py has looked at."""
    for taken in (recording.ahead, recording.behind):
        yield from taken.looked_at()
    for sql in recording.aside:
        if is_question(sql) and not is_setting(sql):
            yield Sent(sql, "", read=True)


def prologue(recording: Recording) -> tuple[str, ...]:
    """Return what is sent ahead of a replay: what env.py makes, and its settings."""
    ours = [sql for sql in changes(recording.ahead) if is_setting(sql)]
    return (*made_before(recording), *recording.setup, *ours)


def made_before(recording: Recording) -> tuple[str, ...]:
    """Return what env.py makes ahead of the scripts that does nothing when it comes again."""
    return tuple(sql for sql in made(recording) if is_repeatable(sql))


def made(recording: Recording) -> Iterator[str]:
    """Yield what env.py has changed ahead of the scripts, but for the session."""
    aside = (sql for sql in recording.aside if not is_question(sql))
    yield from (sql for sql in (*aside, *changes(recording.ahead)) if not is_setting(sql))


def changes(taken: Taken) -> Iterator[str]:
    """Yield the statements whose result nobody looked at."""
    return (sent.sql for sent in taken.statements() if not sent.read)


def is_question(sql: str) -> bool:
    """Tell whether env.py, which has sent *sql*, will have looked at what came back."""
    return sql.lstrip(" \n\t(").lower().startswith(ASKING)


def is_setting(sql: str) -> bool:
    """Tell whether a statement sets up the session, and for longer than a transaction."""
    text = words(sql)
    passing = text.startswith(PASSING) or text.rstrip("; ").endswith(", true)")
    return text.startswith(SETTING) and not passing


def is_repeatable(sql: str) -> bool:
    """Tell whether a statement does nothing when it comes again."""
    return words(sql).startswith(MAKING) and " if not exists " in words(sql) and ";" not in sql


def words(sql: str) -> str:
    """Return a text in small letters, with single blanks."""
    return " ".join(sql.lower().replace("(", "( ").replace(" (", "(").split())


def beginning(sql: str) -> str:
    """Return as much of a statement as a sentence bears."""
    return " ".join(sql.split())[:60]
