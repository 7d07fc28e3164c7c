"""What is asked before each pass through a model: whether the work still counts, and whose turn it is.

Whoever starts work says what to ask (`asking`); the engine asks (`ask`), so that work ends, or lets others compute,
between two chunks of it and nowhere else.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

_CHECK: ContextVar[Callable[[], None] | None] = ContextVar("attattr_check", default=None)
_HELD: ContextVar[tuple["Held", ...]] = ContextVar("attattr_held", default=())


class Stopped(BaseException):
    """Work was stopped. Like GeneratorExit it is no Exception: it undoes what is open and is explained to nobody."""


class Held(Protocol):
    """What work holds that others wait for."""

    def take(self) -> None:
        """Waits for it and takes it."""

    def give(self) -> None:
        """Gives it back."""


@contextmanager
def holding(held: Held) -> Iterator[None]:
    """Holds something meanwhile, except while the work waits for its turn: who has the turn may need it."""
    held.take()
    token = _HELD.set((*_HELD.get(), held))
    try:
        yield
    finally:
        _HELD.reset(token)
        held.give()


@contextmanager
def asking(check: Callable[[], None]) -> Iterator[None]:
    """Has a function called before each pass of the block, in this thread.

    Args:
        check: It may wait, and ends the work by raising `Stopped` or a `attattr_core.errors.UserError`.
    """
    token = _CHECK.set(check)
    try:
        yield
    finally:
        _CHECK.reset(token)


def ask() -> None:
    """Asks whether to go on; without anybody who wants that asked, nothing happens."""
    check, all_held = _CHECK.get(), _HELD.get()
    if check is None:
        return
    for held in reversed(all_held):
        held.give()
    try:
        check()
    finally:
        for held in all_held:
            held.take()
