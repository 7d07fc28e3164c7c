"""What is asked before each pass through a model: whether the work still counts, and whose turn it is.

Whoever starts work says what to ask (`asking`); the engine asks (`ask`), so that work ends, or lets others compute,
between two chunks of it and nowhere else.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_CHECK: ContextVar[Callable[[], None] | None] = ContextVar("attattr_check", default=None)


class Stopped(BaseException):
    """Work was stopped. Like GeneratorExit it is no Exception: it undoes what is open and is explained to nobody."""


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
    check = _CHECK.get()
    if check is not None:
        check()
