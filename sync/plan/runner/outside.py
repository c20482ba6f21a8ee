"""What a script does outside of its database is not done for a plan: a shadow is no reason to.

Compiling runs a script twice more than Alembic would. What it sends to a shadow is thrown
away with that; a program that it starts, a connection that it opens, or what it changes for
a whole server is not. Such a script is stopped there, and runs live.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

from .errors import OutsideError

#: Python's own events of what reaches beyond this process.
EVENTS = frozenset(
    {"os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system"}
    | {"smtplib.connect", "socket.connect", "subprocess.Popen", "urllib.Request"}
)

#: What reaches other sessions, servers and programs, from whichever server it is sent.
REACHING = (
    r"\b(dblink\w*|pg_(terminate|cancel)_backend|pg_reload_conf)\s*\(|\bcopy\b.*\bprogram\b"
    r"|\bcreate\s+(subscription|server)\b|\bimport\s+foreign\s+schema\b"
)

#: Names of roles.
NAMES = r'[\w"]+(\s*,\s*[\w"]+)*'

#: What holds for all databases of a server.
SERVER_WIDE = (
    r"\b(create|alter|drop)\s+(role|user|group|database|tablespace)\b(?!\s+mapping)"
    r"|\balter\s+system\b|\b(reassign|drop)\s+owned\b"
    r"|\bcomment\s+on\s+(database|role|tablespace)\b"
    r"|\b(grant|revoke)\b[^;]*\bon\s+(database|tablespace)\b"
    rf"|\bgrant\s+{NAMES}\s+to\b|\brevoke\s+{NAMES}\s+from\b|\bpg_\w+_replication_slot\s*\("
)

BEYOND_OWN_SERVER = re.compile(REACHING, re.IGNORECASE | re.DOTALL)
BEYOND_DATABASE = re.compile(f"{REACHING}|{SERVER_WIDE}", re.IGNORECASE | re.DOTALL)


def found_in(sql: str, *, on_own_server: bool) -> str:
    """Return the words of *sql* that reach beyond a shadow; empty where none do.

    A server of our own, made for shadows and thrown away, may be changed as a whole.
    """
    found = (BEYOND_OWN_SERVER if on_own_server else BEYOND_DATABASE).search(sql)
    return f"{' '.join(found[0].split()):.40}" if found else ""


def watch(in_step: Callable[[], bool], tell: Callable[[str], None]) -> None:
    """Stop scripts that reach beyond this process; *tell* is told what they were about to do."""

    def hook(event: str, _: object) -> None:
        if event in EVENTS and in_step():
            tell(event)
            raise OutsideError(event)

    sys.addaudithook(hook)
