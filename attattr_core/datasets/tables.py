"""Rows with their texts and labels as they are written, before anybody knows the classes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from attattr_core.datasets.columns import Columns, find_columns
from attattr_core.datasets.files import MAX_CELL, Row
from attattr_core.errors import UserError

_N_LISTED = 5


@dataclass(frozen=True)
class TableRow:
    """One row.

    Attributes:
        number: Its (last) line in a file, or its place from 1 on.
        text: The sentence, or the first of a pair.
        text_pair: The second of a pair, or None.
        label: As it is written.
        kind: Its kind, or "".
    """

    number: int
    text: str
    text_pair: str | None
    label: str
    kind: str = ""


@dataclass(frozen=True)
class Problem:
    """What is wrong with a row: its number, and the rest of a sentence that begins with it."""

    number: int
    what: str


@dataclass(frozen=True)
class Table:
    """A file or a split of a data set, read but not labelled.

    Attributes:
        name: What it is called.
        rows: Those that are whole.
        columns: Names of the columns taken.
        holds_values: Whether the label's column is one of measured values.
        has_kinds: Whether there is a column of kinds.
        problems: What is wrong with the other rows.
        n_corrupted: Rows left out that QQP's own files have corrupted.
        sha256: Digest of the file.
        unit: What a row is called, ``"line"`` or ``"row"``.
        class_names: What the label's numbers stand for, where the data say so; else ().
        notice: What a person should know, or "".
    """

    name: str
    rows: tuple[TableRow, ...]
    columns: tuple[str, ...]
    holds_values: bool
    has_kinds: bool
    problems: tuple[Problem, ...]
    n_corrupted: int
    sha256: str
    unit: str = "line"
    class_names: tuple[str, ...] = ()
    notice: str = ""

    def explain(self, problems: Iterable[Problem]) -> list[str]:
        """Write problems as sentences that name the row."""
        return [f"{self.unit.capitalize()} {number} of {self.name} {what}." for number, what in _unpack(problems)]

    def refuse(self, problems: Iterable[Problem]) -> UserError:
        """The sentence about several bad rows: the first in full, and which the others are."""
        (number, what), *others = sorted(set(_unpack(problems)))
        numbers = sorted({number for number, _ in others})
        also = ""
        if numbers:
            shown = ", ".join(map(str, numbers[:_N_LISTED])) + (", …" if len(numbers) > _N_LISTED else "")
            also = f" and {len(numbers):,} more ({self.unit}{'s' * (len(numbers) > 1)} {shown})"
        return UserError(f"{self.unit.capitalize()} {number} of {self.name} {what}; correct this {self.unit}{also}.")


def build_table(rows: Iterator[Row], name: str, sha256: str, *, max_rows: int) -> Table:
    """Take texts and labels out of a file's rows.

    Args:
        rows: The header first, as `attattr_core.datasets.files.read_rows` gives them.
        name: What the file is called.
        sha256: Its digest.
        max_rows: Largest number of rows.

    Raises:
        UserError: For unknown columns, too many rows, or a file without any row.
    """
    whole: list[TableRow] = []
    problems: list[Problem] = []
    columns, n_corrupted = None, 0
    for number, cells in rows:
        if columns is None and not isinstance(cells, str):
            columns = find_columns(cells, name)
            if columns.has_header:
                continue
        if len(whole) + len(problems) + n_corrupted >= max_rows:
            raise UserError(f"{name} has more than {max_rows:,} rows; cut it or raise the limit on rows.")
        if isinstance(cells, str):
            problems.append(Problem(number, cells))
            continue
        if len(cells) != len(columns.names) and columns.is_qqp:
            n_corrupted += 1
            continue
        row = take_row(number, cells, columns)
        (whole if isinstance(row, TableRow) else problems).append(row)
    found = Table(
        name=name,
        rows=tuple(whole),
        columns=columns.taken if columns else (),
        holds_values=columns is not None and columns.holds_values,
        has_kinds=columns is not None and columns.kind is not None,
        problems=tuple(problems),
        n_corrupted=n_corrupted,
        sha256=sha256,
        class_names=columns.class_names if columns else (),
    )
    if not whole:
        if problems:
            raise found.refuse(problems)
        raise UserError(f"{name} has a header but no labelled rows; give a file with examples.")
    return found


def take_row(number: int, cells: list[str], columns: Columns) -> TableRow | Problem:
    """Take the columns that are read out of one row."""
    if len(cells) != len(columns.names):
        named = "the header has" if columns.has_header else "the others have"
        return Problem(number, f"has {len(cells)} columns where {named} {len(columns.names)}")
    text = cells[columns.text].strip()
    pair = cells[columns.text_pair].strip() if columns.text_pair is not None else None
    label = cells[columns.label].strip()
    if not text or pair == "" or not label:
        return Problem(number, f"has an empty {'label' if text and pair != '' else 'text'}")
    if max(len(text), len(pair or ""), len(label)) > MAX_CELL:
        return Problem(number, f"has a text of more than {MAX_CELL:,} characters")
    return TableRow(number, text, pair, label, cells[columns.kind].strip() if columns.kind is not None else "")


def _unpack(problems: Iterable[Problem]) -> Iterator[tuple[int, str]]:
    return ((problem.number, problem.what) for problem in problems)
