"""JSON files that are not trusted: whatever is wrong with one becomes a sentence."""

import json
import operator
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attattr_core.errors import UserError

MAX_COUNT = 2**53 - 1  # what a browser and all that read JSON hold exactly
MAX_PARTS = 5_000_000  # lists and objects: three characters of a file become a hundred bytes in memory
_THIS = "This file"


@contextmanager
def reading_json(path: str | Path, *, max_bytes: int, complaint: str) -> Iterator[Any]:
    """Gives what a file holds; whatever its reader raises inside is the file's fault.

    Args:
        path: The file.
        max_bytes: Larger ones are refused before they are read.
        complaint: What follows the file's name when its content is not what was asked for. A reader that knows better
            raises a UserError that starts with "This file", which becomes the name.

    Raises:
        UserError: When the file is missing, too large, damaged or something else.
    """
    path = Path(path)
    if not os.path.isfile(path):  # unlike Path.is_file, it takes any name
        raise UserError(f"There is no file {str(path)!r}.")
    if path.stat().st_size > max_bytes:
        raise UserError(f"{path.name!r} is larger than {max_bytes >> 20} MiB, which is more than is read here.")
    try:
        yield parse_json(path.read_bytes())
    except Exception as error:  # json, and whatever wrong types of a damaged file raise
        knows = isinstance(error, UserError) and str(error).startswith(_THIS)
        sentence = str(error).removeprefix(_THIS) if knows else f" {complaint}."
        raise UserError(f"{path.name!r}{sentence}") from error


def parse_json(content: bytes) -> Any:
    """Parses a file, unless it has so many parts that these would fill the memory.

    Raises:
        UserError: When it has; the sentence starts with "This file".
        ValueError or RecursionError: When it is no JSON.
    """
    if content.count(b"[") + content.count(b"{") > MAX_PARTS:
        raise UserError(f"{_THIS} holds more than {MAX_PARTS:,} lists and objects, as nothing that is read here does.")
    return json.loads(content)


def read_count(value: Any) -> int:
    """Reads a whole number that counts something.

    Raises:
        ValueError or TypeError: When it is none, below 0, or larger than JSON can carry everywhere.
    """
    number = operator.index(value)
    if isinstance(value, bool) or not 0 <= number <= MAX_COUNT:
        raise ValueError("not a count")
    return number
