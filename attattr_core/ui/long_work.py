"""What long work that a visitor starts has in common: whether it still counts, how long it takes, how much it is."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from threading import Semaphore
from typing import Any

from attattr_core.datasets.hub_sets import HubSplit
from attattr_core.errors import UserError
from attattr_core.hub import Description, Progress, download
from attattr_core.ui.job_log import Refusal, logged

_SECONDS_BETWEEN_MESSAGES = 0.2
_PLACES = Semaphore(2)  # for downloads; others wait
_SECONDS_BETWEEN_LOOKS = 0.5


class Desk:
    """Which work of a visitor counts: Gradio cancels work some time after it was asked to, and what was left behind
    must not write over what is shown since."""

    def __init__(self) -> None:
        """Makes a desk without work."""
        self._work: object = None
        self._takes_requests = False
        self._request: tuple[Any] | None = None

    def ask(self, about: Any) -> bool:
        """Notes that work is asked for, which begins when its turn comes.

        Args:
            about: What it is about, as that is now.

        Returns:
            False, and nothing is noted, where other work waits or goes on.
        """
        if self._request is not None or self._work is not None:
            return False
        self._takes_requests, self._request = True, (about,)
        return True

    def answer(self, begin: Callable[[Any], Iterator[Any]], about: Any) -> Iterator[Any]:
        """Begins work that was asked for, with what it was about then; nothing where it was ended before its turn.

        Args:
            begin: Makes the steps.
            about: What it is about where nobody ever asks: a program has no button.
        """
        if self._takes_requests:
            if self._request is None:
                return
            (about,), self._request = self._request, None
        yield from self.follow(begin(about))

    def follow(self, steps: Iterator[Any]) -> Iterator[Any]:
        """Begins work: passes its steps on until other work begins or it is ended."""
        work = self._work = object()
        try:
            with closing(steps):
                for step in steps:
                    if self._work is not work:
                        return
                    yield step
        finally:
            if self._work is work:
                self._work = None

    def end(self) -> None:
        """Ends what is going on, and what waits for its turn."""
        self._work = self._request = None


class Clock:
    """Tells how long work will take from the share that is done; what a file brought along is not counted."""

    def __init__(self) -> None:
        """Makes a clock that starts with the first estimate."""
        self._start: tuple[float, float] | None = None

    def estimate(self, share: float) -> float | None:
        """Estimates the seconds left.

        Args:
            share: Of the work, from 0 to 1, that is done.

        Returns:
            The seconds; None while too little is done to tell.
        """
        now = time.monotonic()
        if self._start is None:
            self._start = now, share
        began, before = self._start
        if share - before < 0.02 or now - began < 1:
            return None
        return (now - began) / (share - before) * (1 - share)


def read_count(what: str, value: Any, least: int, most: int) -> int:
    """Reads a number from a field.

    Raises:
        UserError: For what is no whole number, or out of range.
    """
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(f"The number of {what} is {str(value)[:80]!r}: type a number.") from error
    if number != value or not least <= number <= most:
        raise UserError(f"The number of {what} is {str(value)[:80]}: choose a whole number from {least} to {most:,}.")
    return number


def _count(step: Progress | Refusal | None, *_: Any) -> str:
    return f"{step.n_bytes / 1e6:.1f} MB" if isinstance(step, Progress) else "broken off" if step else "nothing"


@logged("download", _count)
def _download(what: Description | HubSplit) -> Iterator[Progress | Refusal]:
    try:
        yield from download(what)
    except UserError as error:
        yield Refusal(str(error))


def follow_download(what: Description | HubSplit) -> Iterator[tuple[Progress, float]]:
    """Downloads a checkpoint or a part of a data set, and tells now and then how far that is; two at a time.

    Yields:
        The progress, and bytes a second.

    Raises:
        UserError: When it breaks off.
    """
    n_total = sum(file.n_bytes for part in (what.base, what) if part for file in part.files)
    while not _PLACES.acquire(timeout=_SECONDS_BETWEEN_LOOKS):
        yield Progress(0, n_total), 0.0
    started, last, n_before = time.monotonic(), 0.0, None
    with ExitStack() as ending:
        ending.callback(_PLACES.release)
        steps = ending.enter_context(closing(_download(what)))
        for progress in steps:
            if isinstance(progress, Refusal):
                raise UserError(progress.sentence)
            n_before = progress.n_bytes if n_before is None else n_before
            now = time.monotonic()
            if now - last >= _SECONDS_BETWEEN_MESSAGES:
                last = now
                yield progress, (progress.n_bytes - n_before) / max(now - started, 1e-3)
