"""Text files cell by cell: tabs, commas or JSON objects in lines, plain or gzipped; none of them is trusted."""

import codecs
import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attattr_core.errors import UserError

MAX_CELL = 131_072  # characters, which is also the csv module's own limit
_PIECE = 1 << 20  # bytes
#: A row: the number of its (last) line, and its cells; or what is wrong with it.
Row = tuple[int, list[str] | str]


def read_rows(path: Path, max_bytes: int) -> Iterator[Row]:
    """Yield the rows of a file that are not blank, the header first; JSON objects get one from the first object.

    Files named ``.csv`` follow CSV's quoting; ``.jsonl``, ``.ndjson`` and ``.json`` are objects, one a line or in one
    list; all others are GLUE's TSV, where a quote is a character.

    Args:
        path: The file; ``.gz`` after any of these is read through gzip.
        max_bytes: Largest size in bytes, before and after decompression.

    Raises:
        UserError: For a missing, too large, empty or unreadable file.
    """
    content = _read_bytes(path, max_bytes)
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    is_json = any(suffix in (".jsonl", ".ndjson", ".json") for suffix in suffixes)
    rows = _read_objects(content, path.name) if is_json else _read_cells(content, path.name, ".csv" in suffixes)
    first = next(rows, None)
    if first is None:
        raise UserError(f"{path.name} is empty; give a file with a header and rows.")
    yield first
    yield from rows


def _read_bytes(path: Path, max_bytes: int) -> bytes:
    if not path.is_file():
        raise UserError(f"There is no file {str(path)!r}; give the path of a .tsv, .csv or .jsonl file, plain or .gz.")
    try:
        with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else open(path, "rb") as handle:
            content = handle.read(max_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path.name} cannot be read ({error}); give a plain or a whole gzipped file.") from error
    if len(content) > max_bytes:
        raise UserError(f"{path.name} is larger than {max_bytes:,} bytes; cut it or raise the limit on bytes.")
    _check_encoding(content, path.name)
    return content


def _check_encoding(content: bytes, name: str) -> None:
    """Decodes a piece at a time: the text of a whole file may take four times the memory of its bytes."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(content), _PIECE):
        n_pending = len(decoder.getstate()[0])
        try:
            decoder.decode(content[start : start + _PIECE], final=start + _PIECE >= len(content))
        except UnicodeDecodeError as error:
            place = start - n_pending + error.start
            raise UserError(f"{name} is not UTF-8 (byte {place:,}); save it as UTF-8.") from error


def _open_text(content: bytes, newline: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline=newline)


def _read_cells(content: bytes, name: str, is_csv: bool) -> Iterator[Row]:
    handle = _open_text(content, "")
    if is_csv:  # some programs write semicolons or tabs where the comma is the decimal mark
        header = content[:MAX_CELL].partition(b"\n")[0].decode("utf-8", "replace")
        reader = csv.reader(handle, delimiter=max(",;\t", key=header.count))
    else:
        reader = csv.reader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, row
    except csv.Error as error:
        raise UserError(f"Line {reader.line_num} of {name} cannot be read ({error}); correct this line.") from error


def _read_objects(content: bytes, name: str) -> Iterator[Row]:
    """Yield the keys of the first object, then the values of all objects in that order."""
    header: list[str] | None = None
    for number, found in _parse_objects(content, name):
        if not isinstance(found, dict):
            yield number, found if isinstance(found, str) else "is not a JSON object"
            continue
        cells = {key.strip().lower(): value for key, value in found.items()}
        if header is None:
            header = list(cells)
            yield number, list(header)
        yield number, [_write_cell(cells.get(key, "")) for key in header]


def _parse_objects(content: bytes, name: str) -> Iterator[tuple[int, Any]]:
    if content[:1000].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
        try:
            listed = json.loads(content.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise UserError(f"{name} is not a JSON list ({_explain(error)}); write one object a line.") from error
        yield from enumerate(map(_take, listed), start=1)
        return
    # at "\n" only: other line separators may stand inside of JSON's strings
    for number, line in enumerate(_open_text(content, "\n"), start=1):
        if line.strip():
            try:
                yield number, _take(json.loads(line))
            except (ValueError, RecursionError) as error:
                yield number, f"is not JSON ({_explain(error)})"


def _take(found: Any) -> dict[str, Any] | None:
    return found if isinstance(found, dict) else None


def _explain(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)[:80]


def _write_cell(value: Any) -> str:
    """Write a value as a table would; a nested one or null is as if it were empty."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""
