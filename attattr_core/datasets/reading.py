"""Read a labelled file."""

from collections.abc import Sequence
from pathlib import Path

from attattr_core.datasets.examples import ExampleSet, digest_file
from attattr_core.datasets.files import read_rows
from attattr_core.datasets.labelling import label_table
from attattr_core.datasets.limits import MAX_BYTES, MAX_ROWS, DataLimits
from attattr_core.datasets.parquet import read_parquet
from attattr_core.datasets.tables import Table, build_table


def read_examples(
    path: str | Path,
    *,
    labels: Sequence[str] | None = None,
    max_rows: int = MAX_ROWS,
    max_bytes: int = MAX_BYTES,
) -> ExampleSet:
    """Read a labelled file, columns recognised by name.

    Files named ``.csv`` follow CSV's quoting, ``.jsonl`` (``.ndjson``, ``.json``) are JSON objects; all others are
    GLUE's TSV, where a quote is a character. Any of them may be gzipped (``.gz``). ``.parquet`` needs pyarrow.

    Args:
        path: The file.
        labels: Class names by index; the file may give names, common spellings of them, or indices. A single name
            asks for values. None takes them from the file: the names it has in alphabetical order, ``LABEL_0`` and so
            on where it has indices, ``value`` where it has values.
        max_rows: Largest number of rows read.
        max_bytes: Largest size in bytes, after decompression.

    Returns:
        The examples with their class names.

    Raises:
        UserError: For a missing, too large or malformed file, unknown columns, or a label outside ``labels``.
    """
    return label_table(read_table(path, DataLimits(max_rows, max_bytes)), labels)


def read_table(path: str | Path, limits: DataLimits | None = None, *, name: str = "") -> Table:
    """Read a file as far as it goes without class names.

    Args:
        path: The file.
        limits: How much is read.
        name: What it is called, where its own name says nothing.

    Raises:
        UserError: For a missing, too large or malformed file, or unknown columns.
    """
    path, limits = Path(path), limits or DataLimits()
    if path.suffix.lower() == ".parquet" and path.is_file():
        return read_parquet([path], name or path.name, limits)
    rows = read_rows(path, limits.max_bytes)
    first = next(rows)  # so that a missing file is a sentence before its digest is asked for

    def all_rows():  # noqa: ANN202
        yield first
        yield from rows

    return build_table(all_rows(), name or path.name, digest_file(path), max_rows=limits.max_rows)
