"""What data look like before they are used: the first rows, how many of each label, and what is wrong with them."""

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from attattr_core.datasets.examples import ExampleSet
from attattr_core.datasets.labelling import NO_GOLD_LABEL
from attattr_core.datasets.limits import DataLimits
from attattr_core.datasets.reading import read_table
from attattr_core.datasets.tables import Table

_N_PROBLEMS = 5
_N_LABELS = 50


@dataclass(frozen=True)
class Preview:
    """A glance at data.

    Attributes:
        name: The file or data set.
        rows: The first rows: text, second text or None, label.
        columns: Names of the columns that were taken; () where that is not known.
        n_rows: Whole rows, those without a gold label among them.
        label_counts: How many rows have each label, the most frequent first; those without a gold label as ``"-"``.
        n_skipped: Rows that are left out: without a gold label, or corrupted.
        n_duplicates: Rows whose texts stand in an earlier row too.
        problems: The first sentences about bad rows.
        n_problems: How many bad rows there are.
        notice: What a person should know, or "".
        n_labels: How many different labels there are; not all need be among ``label_counts``.
    """

    name: str
    rows: tuple[tuple[str, str | None, str], ...]
    columns: tuple[str, ...]
    n_rows: int
    label_counts: tuple[tuple[str, int], ...]
    n_skipped: int
    n_duplicates: int
    problems: tuple[str, ...]
    n_problems: int
    notice: str
    n_labels: int


def preview(source: ExampleSet | Table | str | Path, n: int = 5, *, limits: DataLimits | None = None) -> Preview:
    """Look at data; no checkpoint is needed, and bad rows are told but do not end it.

    Args:
        source: Examples, a table or a file.
        n: How many rows.
        limits: How much of a file is read.

    Raises:
        UserError: For a missing, too large or malformed file, or unknown columns.
    """
    if isinstance(source, ExampleSet):
        return _preview_examples(source, n)
    table = source if isinstance(source, Table) else read_table(source, limits)
    labels = [_name_label(row.label, table.class_names) for row in table.rows]
    counts = Counter(labels)
    return Preview(
        name=table.name,
        rows=tuple((row.text, row.text_pair, label) for row, label in islice(zip(table.rows, labels, strict=True), n)),
        columns=table.columns,
        n_rows=len(table.rows),
        label_counts=tuple(counts.most_common(_N_LABELS)),
        n_skipped=counts[NO_GOLD_LABEL[0]] + table.n_corrupted,
        n_duplicates=len(table.rows) - len({(row.text, row.text_pair) for row in table.rows}),
        problems=tuple(table.explain(table.problems[:_N_PROBLEMS])),
        n_problems=len(table.problems),
        notice=table.notice,
        n_labels=len(counts),
    )


def _preview_examples(examples: ExampleSet, n: int) -> Preview:
    labels = [
        examples.label_names[example.label] if example.value is None else f"{example.value:g}"
        for example in examples.examples
    ]
    counts = Counter(labels)
    return Preview(
        name=examples.file_name,
        rows=tuple(
            (example.text, example.text_pair, label)
            for example, label in islice(zip(examples.examples, labels, strict=True), n)
        ),
        columns=examples.columns,
        n_rows=len(examples),
        label_counts=tuple(counts.most_common(_N_LABELS)),
        n_skipped=examples.n_skipped,
        n_duplicates=len(examples) - len({(example.text, example.text_pair) for example in examples.examples}),
        problems=(),
        n_problems=0,
        notice=examples.notice,
        n_labels=len(counts),
    )


def _name_label(label: str, class_names: tuple[str, ...]) -> str:
    if label in NO_GOLD_LABEL:
        return NO_GOLD_LABEL[0]
    is_index = label.isascii() and label.isdigit() and len(label) < 6
    return class_names[int(label)] if is_index and int(label) < len(class_names) else label
