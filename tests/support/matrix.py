"""The published tables of what follows when something is killed: compared, and regenerated.

``python -m tests.support.matrix PAGE`` writes them into the page; each test of a kill compares
what it saw with a column of theirs.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support.tables import Record, put

#: Titles of the tables.
PLANS = "A compiled plan is replayed"
SCRIPTS = "Scripts run live"

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "kill-matrix.md"

#: What a point means: its name -> in words.
POINTS: Mapping[str, str] = {
    "waiting": "it has its lease, and waits for the target's lock",
    "opening": "it has the lock, and has sent nothing yet",
    "guarding": "the message of r1 was sent, and is not past its guard",
    "inside": "in the transaction of r2",
    "committing": "in the COMMIT of r2",
    "committed": "r2 is committed, which is not on record",
    "parting": "in the first transaction of r3, which does not move the version table",
    "parted": "it is committed, which is not on record",
    "indexing": "CREATE INDEX CONCURRENTLY of r3 was sent, and has done nothing",
    "half": "it has made an index, which is INVALID",
    "indexed": "the index is built, which is not on record",
    "stamping": "in the stamp of r3, which stands alone",
    "stamped": "r3 is stamped, which is not on record",
    "last": "in the transaction of r4",
    "ended": "r4 is committed, and the end of the run is not on record",
}

R0, R1, R2, R3 = (f"went on from r{number}" for number in range(4))
BASE = "went on from base"
APPLIED, ABSENT = (f"named stop, settled as {word}" for word in ("applied", "absent"))
HEAD = "found at head"

#: Separates endings of which either may be seen: it depends on who was quicker.
OR = ", or "

#: A compiled plan, after whatever ended the run's session.
PLAN = {
    "waiting": R0,
    "guarding": R0,
    "inside": R1,
    "committing": R1,
    "committed": R2,
    "parting": ABSENT,
    "parted": APPLIED,
    "indexing": R2,
    "half": f"{R2}, half an index dropped",
    "indexed": APPLIED,
    "stamping": R2,
    "stamped": R3,
    "last": R3,
    "ended": HEAD,
}

#: The service lives: it may still put on record what it knows, and begin what comes next.
SURVIVED = {
    **PLAN,
    "committed": f"{R2}{OR}{ABSENT}",
    "parted": f"{R2}{OR}{APPLIED}",
    "indexed": f"{R2}{OR}{APPLIED}",
}

#: The same of scripts that run live. They stop in the middle of a revision only at its index.
SCRIPT = {
    "waiting": BASE,
    "opening": BASE,
    "inside": R1,
    "committing": R1,
    "committed": R2,
    "indexing": R2,
    "half": f"{R2}, half an index dropped",
    "indexed": APPLIED,
}

#: Title -> what was killed -> point -> how the target came to head.
EXPECTED: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    PLANS: {
        "service": PLAN,
        "sessions": SURVIVED,
        "server": SURVIVED,
        "message": {"inside": R1, "parting": ABSENT, "indexing": R2, "stamping": R2},
        "answer": {"inside": R2, "parting": APPLIED, "indexing": APPLIED, "stamping": R3},
    },
    SCRIPTS: {
        "service": SCRIPT,
        "runners": {**SCRIPT, "waiting": HEAD, "indexed": f"{R2}{OR}{APPLIED}"},
        "sessions": {**SCRIPT, "indexed": f"{R2}{OR}{APPLIED}"},
        "server": {**SCRIPT, "indexed": f"{R2}{OR}{APPLIED}"},
    },
}

#: What is killed: its name -> in words.
BLOWS: Mapping[str, str] = {
    "service": "the service, by SIGKILL",
    "sessions": "every session on the targets, by pg_terminate_backend, and their locks with them",
    "server": "the database server, by SIGKILL of a backend: it restarts",
    "message": "the connection, before the server has the message",
    "answer": "the connection, before the service has the answer",
    "runners": "every runner, by SIGKILL",
}


def show(record: Record, title: str, blow: str, endings: Mapping[str, str]) -> None:
    """Show a column of a table, and require it to be the published one."""
    for name, text in endings.items():
        put(record, (title, name, blow, text))
    published = EXPECTED[title][blow]
    assert endings.keys() == published.keys()
    assert {n: t for n, t in endings.items() if t not in published[n].split(OR)} == {}


def tables() -> Iterator[str]:
    """Yield the lines of the page's tables."""
    yield "| what is killed | |"
    yield "|---|---|"
    for blow, words in BLOWS.items():
        yield f"| **{blow}** | {words} |"
    yield ""
    for title, columns in EXPECTED.items():
        yield f"## {title}"
        yield ""
        yield f"| where the run was | {' | '.join(columns)} |"
        yield "|---" * (len(columns) + 1) + "|"
        for point, words in POINTS.items():
            cells = [column.get(point, "") for column in columns.values()]
            if any(cells):
                yield f"| **{point}**: {words} | {' | '.join(cells)} |"
        yield ""


def written(page: str) -> str:
    """Return *page* with the tables as they are now."""
    body = "\n".join(tables())
    marks = r"(<!-- begin: [^>]* -->\n).*(\n<!-- end: generated -->)"
    return re.sub(marks, rf"\g<1>\n{body}\g<2>", page, flags=re.DOTALL)


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(written(file.read_text(encoding="utf-8")), encoding="utf-8")
