"""Read classification data in GLUE's layouts: tables with a header, tabs or commas, plain or gzipped.

Nothing here knows torch or transformers; fine-tuning, head importance and trigger mining read through it.
"""

import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from attattr_core.errors import UserError

#: Text columns by name, in lower case, as GLUE, SNLI and common exports call them; the first layout that fits is used.
PAIR_COLUMNS = (
    ("premise", "hypothesis"),
    ("sentence1", "sentence2"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("#1 string", "#2 string"),
)
SINGLE_COLUMNS = ("sentence", "text")
LABEL_COLUMNS = ("label", "gold_label", "quality", "is_duplicate")

#: What SNLI and MNLI write where the annotators did not agree.
NO_GOLD_LABEL = "-"

MAX_ROWS = 1_000_000
MAX_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True)
class Example:
    """One labelled text.

    Attributes:
        text: The sentence, or the first of a pair.
        text_pair: The second of a pair, or None.
        label: Class index, from 0.
    """

    text: str
    text_pair: str | None
    label: int


@dataclass(frozen=True)
class ExampleSet:
    """The examples of one file.

    Attributes:
        examples: In the file's order.
        label_names: Class names by index.
        kinds: The column ``kind`` for every example, empty without such a column.
        file_name: Name of the file, without its folder.
        sha256: Hexadecimal digest of the file as it lies on disk.
        n_skipped: Rows without a gold label, which SNLI and MNLI mark with ``-``.
    """

    examples: tuple[Example, ...]
    label_names: tuple[str, ...]
    kinds: tuple[str, ...]
    file_name: str
    sha256: str
    n_skipped: int

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.examples)


@dataclass(frozen=True)
class _Columns:
    """Where text, label and kind stand in a row."""

    text: int
    text_pair: int | None
    label: int
    kind: int | None
    n_columns: int


def read_examples(
    path: str | Path,
    *,
    labels: Sequence[str] | None = None,
    max_rows: int = MAX_ROWS,
    max_bytes: int = MAX_BYTES,
) -> ExampleSet:
    """Read a labelled file with a header, columns recognised by name.

    Files named ``.csv`` (or ``.csv.gz``) follow CSV's quoting; all others are GLUE's TSV, where a quote is a character.

    Args:
        path: The file; ``.gz`` is read through gzip.
        labels: Class names by index; the file may give names or indices. None takes them from the file: the names it
            has in alphabetical order, or ``LABEL_0`` and so on where it has indices.
        max_rows: Largest number of rows read.
        max_bytes: Largest size in bytes, after decompression.

    Returns:
        The examples with their class names.

    Raises:
        UserError: For a missing, too large or malformed file, unknown columns, or a label outside ``labels``.
    """
    path = Path(path)
    content = _read_text(path, max_bytes)
    is_csv = ".csv" in [suffix.lower() for suffix in path.suffixes]
    rows = _iterate_rows(content, path.name, is_csv)
    _, header = next(rows)
    columns = _find_columns([cell.strip().lower() for cell in header], path.name)
    texts: list[tuple[str, str | None, str, str, int]] = []
    n_skipped = 0
    for line, row in rows:
        if len(texts) + n_skipped >= max_rows:
            raise UserError(f"{path.name} has more than {max_rows:,} rows; cut it or raise the limit on rows.")
        parsed = _read_row(row, columns, f"line {line} of {path.name}")
        if parsed[2] == NO_GOLD_LABEL:
            n_skipped += 1
        else:
            texts.append((*parsed, line))
    if not texts:
        raise UserError(f"{path.name} has a header but no labelled rows; give a file with examples.")
    names = tuple(labels) if labels else _name_labels({label for _, _, label, _, _ in texts}, path.name)
    indices = _index_labels(names)
    examples = tuple(
        Example(text, pair, _find_label(label, indices, names, f"line {line} of {path.name}"))
        for text, pair, label, _, line in texts
    )
    kinds = tuple(kind for _, _, _, kind, _ in texts) if columns.kind is not None else ()
    return ExampleSet(examples, names, kinds, path.name, digest_file(path), n_skipped)


def digest_file(path: str | Path) -> str:
    """Return the SHA-256 of a file.

    Args:
        path: The file.

    Returns:
        64 hexadecimal digits.
    """
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _read_text(path: Path, max_bytes: int) -> str:
    if not path.is_file():
        raise UserError(f"There is no file {str(path)!r}; give the path of a .tsv or .csv file, plain or .gz.")
    try:
        with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else open(path, "rb") as handle:
            content = handle.read(max_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path.name} cannot be read ({error}); give a plain or a whole gzipped file.") from error
    if len(content) > max_bytes:
        raise UserError(f"{path.name} is larger than {max_bytes:,} bytes; cut it or raise the limit on bytes.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path.name} is not UTF-8 (byte {error.start}); save it as UTF-8.") from error


def _iterate_rows(content: str, name: str, is_csv: bool) -> Iterator[tuple[int, list[str]]]:
    """Yield the line number and the cells of every row that is not blank, the header first."""
    handle = io.StringIO(content, newline="")
    reader = csv.reader(handle) if is_csv else csv.reader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)
    n_rows = 0
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                n_rows += 1
                yield reader.line_num, row
    except csv.Error as error:
        raise UserError(f"Line {reader.line_num} of {name} cannot be read ({error}); correct this line.") from error
    if not n_rows:
        raise UserError(f"{name} is empty; give a file with a header and rows.")


def _find_columns(header: list[str], name: str) -> _Columns:
    label = next((header.index(column) for column in LABEL_COLUMNS if column in header), None)
    pair = next((pair for pair in PAIR_COLUMNS if set(pair) <= set(header)), None)
    single = next((column for column in SINGLE_COLUMNS if column in header), None)
    if pair is None and single is None:
        known = ", ".join([*SINGLE_COLUMNS, *(" + ".join(pair) for pair in PAIR_COLUMNS)])
        raise UserError(
            f"No text column found in the first line of {name} ({_shorten(header)}); it must be a header with one of: "
            f"{known}."
        )
    if label is None:
        raise UserError(
            f"No label column found in the first line of {name} ({_shorten(header)}); name one of the columns 'label'."
        )
    text, text_pair = (header.index(pair[0]), header.index(pair[1])) if pair else (header.index(single), None)
    kind = header.index("kind") if "kind" in header else None
    return _Columns(text, text_pair, label, kind, len(header))


def _shorten(header: list[str]) -> str:
    text = ", ".join(header)
    return text if len(text) <= 80 else text[:77] + "..."


def _read_row(row: list[str], columns: _Columns, where: str) -> tuple[str, str | None, str, str]:
    if len(row) != columns.n_columns:
        raise UserError(
            f"{where[0].upper()}{where[1:]} has {len(row)} columns where the header has {columns.n_columns}; "
            "correct this line."
        )
    text = row[columns.text].strip()
    pair = row[columns.text_pair].strip() if columns.text_pair is not None else None
    label = row[columns.label].strip()
    if not text or pair == "" or not label:
        missing = "label" if text and pair != "" else "text"
        raise UserError(f"{where[0].upper()}{where[1:]} has an empty {missing}; fill or delete this line.")
    return text, pair, label, row[columns.kind].strip() if columns.kind is not None else ""


def _name_labels(found: set[str], name: str) -> tuple[str, ...]:
    if not all(label.isdecimal() for label in found):
        if len(found) > 1000:
            raise UserError(f"{name} has {len(found):,} different labels; give a file with classes, not values.")
        return tuple(sorted(found))
    numbers = sorted({int(label) for label in found})
    if numbers != list(range(len(numbers))):
        raise UserError(
            f"The labels of {name} are {_shorten([str(number) for number in numbers])}, not 0, 1 and so on; "
            "give the class names by index."
        )
    return tuple(f"LABEL_{number}" for number in numbers)


def _index_labels(names: tuple[str, ...]) -> dict[str, int]:
    """Map indices and, above them, names to class indices: a class called '1' keeps its name's meaning."""
    by_name = {name.casefold(): index for index, name in enumerate(names)}
    if len(by_name) != len(names):
        raise UserError(f"The class names {', '.join(names)} repeat one; give every class its own name.")
    return {str(index): index for index in range(len(names))} | by_name


def _find_label(label: str, indices: dict[str, int], names: tuple[str, ...], where: str) -> int:
    index = indices.get(label.casefold())
    if index is None:
        raise UserError(
            f"{where[0].upper()}{where[1:]} has the label {label!r}, which is none of {', '.join(names)} nor an index "
            f"from 0 to {len(names) - 1}; correct the line or the class names."
        )
    return index
