"""What commands write: never over what they read, always whole, and long work kept beside until it is done."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from attattr_core.cli.common import check_writable
from attattr_core.errors import UserError


def check_outputs(outputs: Iterable[Path], inputs: Iterable[str | Path | None]) -> None:
    """Checks, before any work, that files can be written and that no input is lost by it.

    Args:
        outputs: The files.
        inputs: What the command reads: files, folders, names of other things, or nothing.

    Raises:
        UserError: When one cannot be written, or is an input or in a folder that is one.
    """
    sources = [Path(source) for source in inputs if source and os.path.exists(source)]
    for path in outputs:
        check_writable(path)
        places = [path, path.resolve().parent] if path.exists() else []
        if any(os.path.samefile(place, source) for place in places for source in sources):
            raise UserError(f"{str(path)!r} is what this command reads: choose another file to write.")


def name_partial(output: Path) -> Path:
    """Names the file that keeps what is done of long work, beside the one that is written in the end."""
    return output.with_name(output.name + ".partial")


@contextmanager
def beginning(output: Path, *, resume: bool) -> Iterator[None]:
    """Sets aside what was kept of work that begins anew, and puts it back when that is refused before it begins.

    Args:
        output: The file that the work writes in the end.
        resume: Go on with what was kept; nothing is set aside.

    Raises:
        UserError: When something else is in the place of what is kept, or it cannot be moved.
    """
    partial = name_partial(output)
    if resume or not os.path.lexists(partial):
        yield
        return
    if not partial.is_file():
        raise UserError(f"{str(partial)!r} is in the way: remove it.")
    names = (partial.with_name(f"{partial.name}.old{number or ''}") for number in count())
    old = next(path for path in names if not os.path.lexists(path))
    try:
        partial.rename(old)
    except OSError as error:
        raise UserError(f"{str(partial)!r} is in the way ({error.strerror}): remove it.") from error
    try:
        yield
    except BaseException:
        old.rename(partial)
        raise
    print(f"Begun anew; {str(old)!r} keeps what was done before, for --resume under its former name.", file=sys.stderr)
