"""Rows out of JSON that is not trusted: objects, one a line or in one list, parsed one at a time within a limit."""

import json
import re
from collections.abc import Iterator
from io import TextIOBase
from typing import Any

from attattr_core.errors import UserError
from attattr_core.storage import clean_text

_SPACE = re.compile(r"[ \t\r\n]*")
#: What was found, and the number of its line or its place in the list; or a sentence's end that says what is wrong.
Found = tuple[int, dict[str, Any] | str]


def is_list(content: bytes) -> bool:
    """Tell a file with one list from one with an object a line."""
    return content[:1000].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def tabulate(found: Iterator[Found]) -> Iterator[tuple[int, list[str] | str]]:
    """Yield the keys of the first object, then the values of all objects in that order."""
    header: list[str] | None = None
    for number, content in found:
        if isinstance(content, str):
            yield number, content
            continue
        cells = {clean_text(key).strip().lower(): value for key, value in content.items()}
        if header is None:
            header = list(cells)
            yield number, list(header)
        yield number, [_write_cell(cells.get(key, "")) for key in header]


def read_lines(handle: TextIOBase, name: str, *, max_chars: int) -> Iterator[Found]:
    """Yield the objects of a file with one a line.

    Args:
        handle: The file.
        name: What it is called in a sentence.
        max_chars: The longest line that is parsed.

    Raises:
        UserError: For a line of more than ``max_chars`` characters.
    """
    number = 0
    while line := handle.readline(max_chars + 1):
        number += 1
        if len(line) > max_chars:
            raise UserError(f"Line {number} of {name} has more than {max_chars:,} characters; shorten it.")
        if line.strip():
            try:
                yield number, _take(json.loads(line))
            except (ValueError, RecursionError) as error:
                yield number, f"is not JSON ({_explain(error)})"


def read_list(handle: TextIOBase, name: str, *, max_chars: int) -> Iterator[Found]:
    """Yield the objects of a file that is one list.

    Args:
        handle: The file.
        name: What it is called in a sentence.
        max_chars: The longest member that is parsed.

    Raises:
        UserError: For something else than one list, or a member of more than ``max_chars`` characters.
    """
    text, number = _Pieces(handle, max_chars), 0
    try:
        text.skip("[")
        while text.peek() != "]":
            if number:
                text.skip(",")
            number += 1
            yield number, _take(text.parse())
        text.skip("]")
        text.skip("")
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{name} is not a JSON list (entry {max(number, 1):,}: {_explain(error)}); write one object a line."
        ) from error


class _Pieces:
    """A text read in pieces, of which there is always as much as one member of the list may take."""

    def __init__(self, handle: TextIOBase, max_chars: int) -> None:
        self._handle, self._max_chars = handle, max_chars
        self._text, self._place = "", 0
        self._decode = json.JSONDecoder().raw_decode

    def peek(self) -> str:
        """The next character that is no space; "" at the end."""
        self._place = _SPACE.match(self._text, self._place).end()
        while len(self._text) - self._place <= self._max_chars and (more := self._handle.read(self._max_chars // 8)):
            self._text, self._place = self._text[self._place :] + more, 0
            self._place = _SPACE.match(self._text).end()
        return self._text[self._place : self._place + 1]

    def skip(self, mark: str) -> None:
        """Go past a mark, or be at the end."""
        found = self.peek()
        if found != mark:
            raise ValueError(f"{mark or 'the end'!r} expected, not {found or 'the end'!r}")
        self._place += len(mark)

    def parse(self) -> Any:
        """Parse the value that begins here."""
        self.peek()
        try:
            value, end = self._decode(self._text, self._place)
        except json.JSONDecodeError as error:
            is_open = error.msg.startswith("Unterminated")  # of a string it tells where it began
            end = len(self._text) if is_open else error.pos
            raise self._refuse() if end - self._place > self._max_chars else ValueError(error.msg) from None
        if end - self._place > self._max_chars:
            raise self._refuse()
        self._place = end
        return value

    def _refuse(self) -> ValueError:
        return ValueError(f"more than {self._max_chars:,} characters")


def _take(found: Any) -> dict[str, Any] | str:
    return found if isinstance(found, dict) else "is not a JSON object"


def _explain(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)[:80]


def _write_cell(value: Any) -> str:
    """Write a value as a table would; a nested one or null is as if it were empty."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return clean_text(value) if isinstance(value, str | int | float) else ""
