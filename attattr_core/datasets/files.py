"""Text files cell by cell: tabs, commas or JSON objects in lines, plain or gzipped; none of them is trusted."""

import codecs
import csv
import gzip
import io
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

from attattr_core.datasets.json_rows import is_list, read_lines, read_list, tabulate
from attattr_core.errors import UserError

MAX_CELL = 131_072  # characters, which is also the csv module's own limit
MAX_ROW = 8 * MAX_CELL  # characters: a row is parsed as a whole, which may take fifty times as many bytes
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
        UserError: For a missing, too large, empty or unreadable file, or a row of more than `MAX_ROW` characters.
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
    if not os.path.isfile(path):  # unlike Path.is_file, it takes any name
        raise UserError(
            f"There is no file {str(path)[:300]!r}; give the path of a .tsv, .csv or .jsonl file, plain or .gz."
        )
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
    handle, n_taken = _open_text(content, ""), 0

    def read_lines() -> Iterator[str]:  # a quoted cell goes on over lines, so that a row may be several
        nonlocal n_taken
        while line := handle.readline(MAX_ROW + 1):
            n_taken += len(line)
            if n_taken > MAX_ROW:
                raise UserError(
                    f"The row at line {reader.line_num + 1} of {name} has more than {MAX_ROW:,} characters; shorten it."
                )
            yield line

    if is_csv:  # some programs write semicolons or tabs where the comma is the decimal mark
        header = content[:MAX_CELL].partition(b"\n")[0].decode("utf-8", "replace")
        reader = csv.reader(read_lines(), delimiter=max(",;\t", key=header.count))
    else:
        reader = csv.reader(read_lines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    try:
        for row in reader:
            n_taken = 0
            if any(cell.strip() for cell in row):
                yield reader.line_num, row
    except csv.Error as error:
        raise UserError(f"Line {reader.line_num} of {name} cannot be read ({error}); correct this line.") from error


def _read_objects(content: bytes, name: str) -> Iterator[Row]:
    handle = _open_text(content, "\n")  # at "\n" only: other line separators may stand inside of JSON's strings
    read = read_list if is_list(content) else read_lines
    return tabulate(read(handle, name, max_chars=MAX_ROW))
