"""The talk between runner and service: length-prefixed JSON over standard input and output.

The runner says ``about`` before it acts and waits for ``go``; afterwards it says ``done``
or ``failed``. Acts nest. The last word is ``end``. When the service goes away, the runner
ends at once, whatever it is doing: nothing may happen that nobody writes down.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

#: Exit status of a runner whose service went away (EX_UNAVAILABLE of sysexits.h).
ORPHANED = 69


class Pipe:
    """The runner's end of the talk. Taken before any foreign code is imported."""

    def __init__(self) -> None:
        self._words: queue.Queue[dict[str, Any]] = queue.Queue()
        self._out = os.fdopen(os.dup(1), "wb")
        source = os.fdopen(os.dup(0), "rb")
        self._silence()
        threading.Thread(target=self._listen, args=(source,), daemon=True).start()

    @staticmethod
    def _silence() -> None:
        """Let scripts print to standard error and read nothing: the talk is not theirs."""
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(2, 1)
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - lives as long as the process

    def _listen(self, source: BinaryIO) -> None:
        try:
            for length in iter(source.readline, b""):
                self._words.put(json.loads(source.read(int(length))))
        finally:
            os._exit(ORPHANED)

    def hear(self) -> dict[str, Any]:
        """Wait for the service's next word."""
        return self._words.get()

    def say(self, word: str, **facts: Any) -> None:  # noqa: ANN401 - whatever JSON can carry
        """Tell the service something."""
        payload = json.dumps({"say": word, **facts}, default=str).encode()
        self._out.write(b"%d\n%b" % (len(payload), payload))
        self._out.flush()

    def announce(
        self,
        noun: str,
        *,
        revision: str | None = None,
        sqls: list[str] | None = None,
        **facts: Any,  # noqa: ANN401 - whatever JSON can carry
    ) -> dict[str, Any]:
        """Announce an act, wait until that is written down, and return the service's answer.

        The answer holds the act's ticket, and for a step what of it stands already.
        """
        self.say("about", noun=noun, revision=revision, sqls=sqls or [], facts=facts)
        return self.hear()

    def may_try_again(self) -> bool:
        """Wait for what the service says to the failure of a statement that may be sent again."""
        return bool(self.hear()["say"] == "again")

    @contextmanager
    def act(
        self,
        noun: str,
        *,
        describe: Callable[[BaseException], dict[str, Any]],
        revision: str | None = None,
        sqls: list[str] | None = None,
        **facts: Any,  # noqa: ANN401 - whatever JSON can carry
    ) -> Iterator[str]:
        """Announce an act, give its ticket to the block, and say how it ended.

        *describe* gives the facts of an error for the word ``failed``.
        """
        answer = self.announce(noun, revision=revision, sqls=sqls, **facts)
        try:
            yield str(answer["ticket"])
        except BaseException as error:
            self.say("failed", **describe(error))
            raise
        self.say("done", facts={})
