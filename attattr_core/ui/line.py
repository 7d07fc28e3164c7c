"""Whose turn it is to compute, and what ends a job: a stop, a closed tab, a limit.

One job computes at a time. Jobs ask before each pass through a model (`attattr_core.engine.stopping`), and that is
where they wait, are stopped, or let others go first:

* Among those that wait, the one that came first goes first. A long job counts as if it had come `_PATIENCE` seconds
  later, and so does a visitor's second job for each of his that came before and is still there: nobody's many or long
  jobs hold up another one's sentence, and nobody waits for ever.
* A short job keeps the machine until it is done. One that has computed for `_SHORT` seconds, or that measures, mines or
  evaluates, is long: it lets go of the machine every `_SLICE` seconds if somebody else waits, and goes to the end of
  the line, so that long jobs go on in turns. Between two of its steps every job lets go, but keeps its place.
* At most `_MOST_BEGUN` long jobs are in their midst, and `_MOST_ALIKE` of a kind, since each holds memory; the others
  begin when one of these has ended.

On ZeroGPU each job has a card and a process of its own: there only the number of jobs is limited.
"""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Condition, RLock
from typing import Any

from attattr_core.checkpoints.memory import trim_memory
from attattr_core.engine.stopping import Stopped, asking
from attattr_core.errors import UserError
from attattr_core.ui.limits import PageLimits
from attattr_core.ui.spaces import IS_ZERO_GPU

#: What a job's step is when there is none any more.
END = object()

_PATIENCE = 20.0  # seconds
_SHORT = 3.0
_SLICE = 0.5
_MOST_BEGUN = 8
_MOST_ALIKE = 3
_SECONDS_BETWEEN_TRIMS = 10.0  # of memory: what the next job needs again is better kept


class Turn:
    """One job: what it may still do.

    Attributes:
        thread: Where its steps are made, one after the other, and which ends with it: a thread that has computed keeps
            some 30 MB for its products as long as it lives.
        user: Whose it is.
        name: What it does, for the log.
        is_long: Whether it lets others go first.
        since: Since when it computes, or None.
        used: For how many seconds it has computed before that.
        waited: For how many seconds it has waited for the machine.
        is_stopped: Whether it has to end.
    """

    def __init__(self, line: "Line", user: str, name: str, limits: PageLimits, *, is_long: bool, n_before: int) -> None:
        """Takes its place in a line."""
        self.thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self.user, self.name, self.is_long = user, name, is_long
        self.since: float | None = None
        self.used = self.waited = 0.0
        self.is_stopped = False
        self._line, self._limits, self._refusal = line, limits, ""
        self._n_before = n_before  # jobs of the same visitor that came before and are still there
        self._came = self._lot = time.monotonic()  # the lot is the place in line, anew after each slice
        self._slice = 0.0  # how much of it is used
        self._asked: float | None = None
        self._woken = Condition(line._lock)

    @property
    def is_heavy(self) -> bool:
        """Whether it has to let others go first by now."""
        return self.is_long or self.count_seconds() > _SHORT

    @property
    def waits(self) -> bool:
        """Whether it waits for the machine, and has not computed before."""
        return self._asked is not None and not self.has_begun

    @property
    def has_begun(self) -> bool:
        """Whether it computes, or has computed."""
        return self.since is not None or self.used > 0

    def count_seconds(self) -> float:
        """Counts the seconds that it has computed."""
        return self.used + (time.monotonic() - self.since if self.since is not None else 0.0)

    def find_place(self) -> float:
        """Finds its place in the line: the smallest goes first."""
        return _PATIENCE * self._n_before + (self._lot + _PATIENCE if self.is_heavy else self._came)

    def check(self) -> None:
        """Waits until it may compute.

        Raises:
            Stopped: When it has to end.
            UserError: For a limit that it has reached.
        """
        if self._refusal:
            raise UserError(self._refusal)
        if self.count_seconds() > 60 * self._limits.max_minutes:
            raise UserError(
                f"This has computed for {self._limits.max_minutes} minutes, as long as one job may here: what is done "
                "stays; go on from there, or ask for less."
            )
        self._line.take(self)

    def step(self, steps: Iterator[Any]) -> Any:
        """Makes one step of the job, in its thread; `END` when there is none."""
        try:
            if IS_ZERO_GPU:
                return next(steps, END)
            with asking(self.check):
                return next(steps, END)
        except Stopped:
            return END
        finally:
            self._line.give(self)

    def close(self, steps: Iterator[Any]) -> None:
        """Ends the job: the pass that goes on is its last one."""
        self._line.leave(self)
        self.thread.submit(self._close, steps)
        self.thread.shutdown(wait=False)

    def _close(self, steps: Iterator[Any]) -> None:
        steps.close()
        self._line.trim(at_once=self.is_heavy)


class Line:
    """The jobs that wait and go on, of all visitors. All methods may be called from any thread."""

    def __init__(self) -> None:
        """Makes an empty line."""
        self._lock = RLock()
        self._turns: list[Turn] = []
        self._holder: Turn | None = None
        self._usual = 1.0  # seconds of a short job
        self._trimmed = time.monotonic()

    def join(
        self, user: str, name: str, limits: PageLimits, *, is_long: bool = False, n_allowed: int | None = None
    ) -> Turn:
        """Takes a job in; one job too many ends with a sentence as soon as it wants to compute.

        Args:
            user: Whose it is.
            name: What it does.
            limits: What a visitor may ask for.
            is_long: Whether it is long from its beginning.
            n_allowed: How many such jobs the user may have, if not as many as a visitor.
        """
        with self._lock:
            n_own = sum(turn.user == user for turn in self._turns)
            turn = Turn(self, user, name, limits, is_long=is_long, n_before=n_own)
            if n_own >= (n_allowed or limits.max_visitor_jobs):
                turn._refusal = (
                    f"{n_own} of your jobs wait or go on, as many as one visitor may have here: wait for one of them, "
                    "or stop it."
                )
            elif len(self._turns) >= limits.max_jobs:
                turn._refusal = f"{len(self._turns)} jobs wait or go on here, as many as may: try again in a minute."
            else:
                self._turns.append(turn)
            return turn

    def list_turns(self) -> list[Turn]:
        """Lists the jobs in the order in which they came."""
        with self._lock:
            return list(self._turns)

    def stop(self, user: str | None = None) -> None:
        """Stops the jobs of a user, or all of them."""
        with self._lock:
            for turn in self._turns:
                turn.is_stopped |= user in (None, turn.user)
                turn._woken.notify()

    def leave(self, turn: Turn) -> None:
        """Stops a job and takes it out."""
        with self._lock:
            turn.is_stopped = True
            if turn in self._turns:
                for one in self._turns[self._turns.index(turn) :]:
                    one._n_before -= one.user == turn.user
                self._turns.remove(turn)
            if not turn.is_long and turn.used:
                self._usual += 0.1 * (turn.used - self._usual)
            turn._woken.notify()
            self._wake_next()

    def take(self, turn: Turn) -> None:
        """Gives a job the machine when its turn has come.

        Raises:
            Stopped: When the job has to end.
        """
        with self._lock:
            now = time.monotonic()
            if self._holder is turn and not turn.is_stopped:
                if not turn.is_heavy or turn._slice + now - turn.since < _SLICE:
                    return
                self._put_down(turn)
            turn._asked = now
            while not turn.is_stopped and (self._holder is not None or self._find_next() is not turn):
                turn._woken.wait()
            turn.waited += time.monotonic() - now
            turn._asked = None
            if turn.is_stopped:
                self._put_down(turn)
                self._wake_next()
                raise Stopped
            self._holder, turn.since = turn, time.monotonic()

    def give(self, turn: Turn) -> None:
        """Takes the machine from a job that has it."""
        with self._lock:
            self._put_down(turn)

    def trim(self, *, at_once: bool) -> None:
        """Gives freed memory back to the system, at once or now and then."""
        with self._lock:
            now = time.monotonic()
            if not at_once and now - self._trimmed < _SECONDS_BETWEEN_TRIMS:
                return
            self._trimmed = now
        trim_memory()

    def describe_place(self, turn: Turn) -> str:
        """Says how many jobs go first, and for about how long."""
        with self._lock:
            begun = self._count_begun()
            if not self._may_begin(turn, begun):
                n, kind = (begun.total(), "") if begun.total() >= _MOST_BEGUN else (begun[turn.name], " of this kind")
                n_first = sum(
                    one.name == turn.name and one.waits and one.find_place() < turn.find_place() for one in self._turns
                )
                return f"Waiting: {n} long jobs{kind} go on, as many as may at a time, and {n_first} more go first."
            place = turn.find_place()
            ahead = [one for one in self._turns if one._asked is not None and one.find_place() < place]
            ahead += [] if self._holder is None else [self._holder]
            seconds = sum(_SLICE if one.is_heavy else max(self._usual - one.count_seconds(), 0) for one in ahead)
        return f"Waiting: {len(ahead)} {'job goes' if len(ahead) == 1 else 'jobs go'} first, about {seconds:.0f} s."

    def _find_next(self) -> Turn | None:
        begun = self._count_begun()
        ready = (turn for turn in self._turns if turn._asked is not None and self._may_begin(turn, begun))
        return min(ready, key=Turn.find_place, default=None)

    def _count_begun(self) -> Counter[str]:
        """Counts the long jobs that are in their midst, by what they do."""
        return Counter(turn.name for turn in self._turns if turn.is_heavy and turn.has_begun)

    @staticmethod
    def _may_begin(turn: Turn, begun: Counter[str]) -> bool:
        """Whether a job goes on already, or there is room for it."""
        is_full = begun.total() >= _MOST_BEGUN or begun[turn.name] >= _MOST_ALIKE
        return turn.has_begun or not turn.is_long or not is_full

    def _wake_next(self) -> None:
        """Wakes the one thread that may go on: with all of them awake at each turn, little else would be done."""
        turn = self._find_next() if self._holder is None else None
        if turn is not None:
            turn._woken.notify()

    def _put_down(self, turn: Turn) -> None:
        if self._holder is turn:
            now = time.monotonic()
            turn.used, turn._slice = turn.used + now - turn.since, turn._slice + now - turn.since
            if turn._slice >= _SLICE:
                turn._slice, turn._lot = 0.0, now
            self._holder = turn.since = None
            self._wake_next()


@cache
def find_line() -> Line:
    """The line of this process, one for all visitors."""
    return Line()
