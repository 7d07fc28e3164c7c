"""One line for every job in the log, without what visitors wrote; and the end of all jobs when the server ends."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import wraps
from threading import Condition
from typing import Any

from attattr_core.checkpoints.catalog import EMBEDDED
from attattr_core.engine.stopping import Stopped
from attattr_core.errors import UserError
from attattr_core.hub import Description

LOG = logging.getLogger("attattr_core.jobs")
_ENDING = "The server is being shut down: try again when it is back."


@dataclass(frozen=True)
class Refusal:
    """A sentence for the visitor; an exception would not cross every process border."""

    sentence: str


class Roll:
    """The jobs that go on, of all visitors. When the server ends, each stops at its next step and none begins."""

    def __init__(self) -> None:
        """Makes an empty roll."""
        self._changed = Condition()
        self._n_jobs = 0
        self._is_ending = False

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Counts a job for as long as the block lasts."""
        with self._changed:
            self._n_jobs += 1
        try:
            yield
        finally:
            with self._changed:
                self._n_jobs -= 1
                self._changed.notify_all()

    def check(self) -> None:
        """Lets a job go on, or stops it.

        Raises:
            UserError: When the server ends.
        """
        if self._is_ending:
            raise UserError(_ENDING)

    def end(self, seconds: float) -> bool:
        """Stops all jobs, each at its next step; whether they have ended within so many seconds."""
        with self._changed:
            self._is_ending = True
            return self._changed.wait_for(lambda: self._n_jobs == 0, seconds)


ROLL = Roll()


def logged(kind: str, count: Callable[..., str]) -> Callable[[Callable[..., Iterator[Any]]], Callable[..., Any]]:
    """Makes work that steps through a job one that is on the roll, and that leaves a line in the log when it ends.

    The line says the kind, the checkpoint (a folder has no name here), how much it was, the seconds, and how it ended:
    done, stopped, refused or failed.

    Args:
        kind: What the work is called.
        count: Called with the last step (None before the first) and the work's arguments; says how much it was.
    """

    def decorate(work: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        @wraps(work)
        def follow(*arguments: Any) -> Iterator[Any]:
            started, outcome, step = time.monotonic(), "stopped", None
            try:
                with ROLL.enter(), closing(work(*arguments)) as steps:
                    ROLL.check()
                    for step in steps:
                        ROLL.check()
                        outcome = "refused" if isinstance(step, Refusal) else "stopped"
                        yield step
                    outcome = "refused" if outcome == "refused" else "done"
            except (UserError, GeneratorExit, Stopped):
                raise
            except BaseException:
                outcome = "failed"
                raise
            finally:
                name, seconds = name_checkpoint(arguments[0]), time.monotonic() - started
                LOG.info("%s, %s, %s, %.1f s, %s", kind, name, count(step, *arguments), seconds, outcome)

        return follow

    return decorate


def name_checkpoint(job: Any) -> str:
    """Names the checkpoint of a job, or a description itself, for people who may not know this machine's folders."""
    description: Description = getattr(job, "description", job)
    is_own = description.folder is not None and description.name not in EMBEDDED
    return "a folder" if is_own else description.name


def count_rows(n_rows: int) -> str:
    """Says how many rows work was about."""
    return f"{n_rows} row{'s' * (n_rows != 1)}"


def count_tokens(tokens: Any) -> str:
    """Says how many tokens work was about."""
    return f"{len(tokens)} token{'s' * (len(tokens) != 1)}"
