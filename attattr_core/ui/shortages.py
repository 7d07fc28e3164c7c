"""What a job ends with when it cannot go on: a sentence, also where memory or the disk runs short."""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from attattr_core.checkpoints.memory import free_memory
from attattr_core.errors import UnwrittenError, UserError, is_disk_error, is_memory_error
from attattr_core.ui.job_log import Refusal


def refusing(way_out: str) -> Callable[[Callable[..., Iterator[Any]]], Callable[..., Iterator[Any]]]:
    """Makes work that steps through a job end with a `Refusal` where it would raise.

    It stands inside of `attattr_core.ui.spaces.on_gpu`, for exceptions do not cross every process border.

    Args:
        way_out: What to choose where memory does not suffice.
    """

    def decorate(work: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        @wraps(work)
        def follow(*arguments: Any) -> Iterator[Any]:
            is_short = False
            try:
                yield from work(*arguments)
                return
            except UnwrittenError as error:
                sentence = describe_full_disk(error.reason)  # whose path is no visitor's choice
            except UserError as error:
                sentence = str(error)
            except Exception as error:
                is_short = is_memory_error(error)
                if not is_short and not is_disk_error(error):
                    raise
                sentence = _describe_shortage(arguments[0], way_out) if is_short else describe_full_disk(error.strerror)
            if is_short:  # what the error held is free by now
                _make_room()
            yield Refusal(sentence)

        return follow

    return decorate


def describe_full_disk(reason: str) -> str:
    """Says that the server could not write what it needs."""
    return f"The server cannot write the files that this needs ({reason}): try again later, or tell who runs it."


def _describe_shortage(job: Any, way_out: str) -> str:
    description = getattr(job, "second", None) or getattr(job, "description", job)
    return f"There is not enough memory for {description.name!r}: choose {way_out}."


def _make_room() -> None:
    """Drops the checkpoints that nobody uses: the next job may need their place."""
    from attattr_core.ui.work import find_cache

    find_cache().clear()
    free_memory()
