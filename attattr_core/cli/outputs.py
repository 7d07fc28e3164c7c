"""What commands write: never over what they read, always whole, and long work kept beside until it is done."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from attattr_core.cli.common import check_writable
from attattr_core.errors import UserError
from attattr_core.whole_files import replacing


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


def set_partial_aside(output: Path) -> None:
    """Sets aside what was kept of work that is begun anew, and says where it is.

    Raises:
        UserError: When something else is in its place.
    """
    partial = name_partial(output)
    if not os.path.lexists(partial):
        return
    if not partial.is_file():
        raise UserError(f"{str(partial)!r} is in the way: remove it.")
    old = partial.with_name(partial.name + ".old")
    try:
        os.replace(partial, old)
    except OSError as error:
        raise UserError(f"{str(old)!r} is in the way ({error.strerror}): remove it.") from error
    print(f"Begun anew; {str(old)!r} keeps what was done before, for --resume under its former name.", file=sys.stderr)


def write_file(path: Path, content: str | bytes) -> None:
    """Writes a file, which is whole or the old one.

    Raises:
        UserError: When it cannot be written.
    """
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)
