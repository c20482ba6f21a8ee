"""What the kernel says of the memory of a process."""

from __future__ import annotations

import re
from pathlib import Path

_KIB_PER_MIB = 1024


def peak_of(pid: int) -> float:
    """Return the high-water mark of the process's resident memory, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise SystemExit("the kernel does not tell how much memory a process held")
    return int(found[1]) / _KIB_PER_MIB
