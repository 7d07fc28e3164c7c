"""Read a labelled file."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from attattr_core.datasets.examples import ExampleSet, digest_file
from attattr_core.datasets.files import read_rows
from attattr_core.datasets.json_rows import tabulate
from attattr_core.datasets.labelling import label_table
from attattr_core.datasets.limits import MAX_BYTES, MAX_ROWS, DataLimits
from attattr_core.datasets.parquet import read_parquet
from attattr_core.datasets.tables import Table, build_table
from attattr_core.errors import UserError


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
    if path.suffix.lower() == ".parquet" and os.path.isfile(path):
        return read_parquet([path], name or path.name, limits)
    rows = read_rows(path, limits.max_bytes)
    first = next(rows)  # so that a missing file is a sentence before its digest is asked for

    def all_rows():  # noqa: ANN202
        yield first
        yield from rows

    return build_table(all_rows(), name or path.name, digest_file(path), max_rows=limits.max_rows)


def read_objects(rows: Sequence[Mapping[str, Any]], limits: DataLimits, *, name: str) -> Table:
    """Read rows that are at hand as objects, as those of a ``.jsonl`` file are read.

    Args:
        rows: Values by the names of their columns, which are those of the first row.
        limits: How much is read; bytes are those of the rows as JSON.
        name: What they are called in a sentence.

    Raises:
        UserError: For no rows, too many or too large ones, or unknown columns.
    """
    if not rows:
        raise UserError(f"{name} has no rows; give labelled texts.")
    content = json.dumps(rows).encode()
    if len(content) > limits.max_bytes:
        raise UserError(f"{name} has more than {limits.max_bytes:,} bytes; give less, or raise ATTATTR_MAX_DATA_BYTES.")
    table = build_table(
        tabulate(enumerate(rows, 1)), name, hashlib.sha256(content).hexdigest(), max_rows=limits.max_rows
    )
    return replace(table, unit="row")
