"""Files that are always whole: the old one or the new one, whatever breaks off, and whoever else writes it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import get_ident
from typing import BinaryIO

from attattr_core.errors import UnwrittenError


def write_whole(path: str | Path, content: str | bytes) -> None:
    """Writes a file, which is the new one or the old one, whatever breaks off.

    Raises:
        UnwrittenError: When it cannot be written.
    """
    with replacing(Path(path)) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Gives a file to write, which takes the place of another once all is on the disk.

    Two visitors may measure the same thing at once, so each process and thread writes beside it under its own name.

    Args:
        path: The file that is replaced, or made.

    Raises:
        UnwrittenError: When it cannot be written.
    """
    target = Path(os.path.realpath(path))  # a link stays one
    beside = target.with_name(f"{target.name}.{os.getpid()}-{get_ident()}.new")
    try:
        with beside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, target)
    except OSError as error:
        sentence = f"{str(path)!r} cannot be written ({error.strerror}): choose another file."
        raise UnwrittenError(sentence, str(error.strerror)) from error
    finally:
        with suppress(OSError):
            beside.unlink()
