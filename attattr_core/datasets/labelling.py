"""From labels as they are written to class indices or values: by name, by spelling, by index."""

import math
import re
from collections.abc import Callable, Mapping, Sequence

from attattr_core.datasets.examples import Example, ExampleSet
from attattr_core.datasets.tables import Problem, Table, TableRow
from attattr_core.errors import UserError
from attattr_core.labels.tasks import has_real_names, join_briefly, normalise, read_tasks

#: What SNLI and MNLI write where the annotators did not agree, and the Hub's copies.
NO_GOLD_LABEL = ("-", "-1")
_MAX_CLASSES = 1000
_MAX_TOLD = 6
_INDEX = re.compile(r"(\d{1,9})(\.0*)?")  # with more digits it is a name, or a value
_YES = ("positive", "entailment", "equivalent", "acceptable")  # of the tasks that a single logit can tell


def label_table(table: Table, labels: Sequence[str] | None = None) -> ExampleSet:
    """Give every row its class index, or its value.

    Args:
        table: Rows as they are written.
        labels: Class names by index, as a checkpoint has them; a single one asks for values. None takes them from the
            data: their own class names, the names written in alphabetical order, ``LABEL_0`` and so on where they
            have indices, or ``value`` where they have values.

    Raises:
        UserError: For bad rows, labels outside of ``labels``, or no labelled rows.
    """
    names = tuple(labels) if labels else ()
    if table.problems and not names:  # which classes there are is known from whole files only
        raise table.refuse(table.problems)
    skipped = [label for label in NO_GOLD_LABEL if label not in names]
    rows = [row for row in table.rows if row.label not in skipped]
    if not rows:
        raise UserError(f"{table.name} has no labelled rows; choose a file or a part of the data with labels.")
    written = {row.label for row in rows}
    if len(names) == 1 or (not names and not table.class_names and _are_values(table, written)):
        find, names, notice = _find_value_reader(table), names or ("value",), ""
    else:
        names = names or table.class_names or _name_labels(written, table.name)
        indices, notice = _index_labels(names, table, written)
        find = _build_finder(indices, names)
    return _label_rows(table, rows, names, find, notice)


def _label_rows(
    table: Table,
    rows: Sequence[TableRow],
    names: tuple[str, ...],
    find: Callable[[str], int | float | str],
    notice: str,
) -> ExampleSet:
    examples, kinds, problems = [], [], list(table.problems)
    for row in rows:
        found = find(row.label)
        if isinstance(found, str):
            problems.append(Problem(row.number, found))
        elif isinstance(found, float):
            examples.append(Example(row.text, row.text_pair, 0, found))
        else:
            examples.append(Example(row.text, row.text_pair, found))
        kinds.append(row.kind)
    if problems:
        raise table.refuse(problems)
    return ExampleSet(
        examples=tuple(examples),
        label_names=names,
        kinds=tuple(kinds) if table.has_kinds else (),
        file_name=table.name,
        sha256=table.sha256,
        n_skipped=len(table.rows) - len(rows) + table.n_corrupted,
        columns=table.columns,
        notice=" ".join(filter(None, (table.notice, notice))),
    )


def _are_values(table: Table, written: set[str]) -> bool:
    """Whether labels are measured values: numbers, in a column of values or with decimals that matter."""
    numbers = [_read_number(label) for label in written]
    if None in numbers:
        return False
    return table.holds_values or any(not _INDEX.fullmatch(label) for label in written)


def _read_number(label: str) -> float | None:
    try:
        number = float(label)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in label else None


def _find_value_reader(table: Table) -> Callable[[str], float | str]:
    """Reads numbers, and names that say yes or no."""

    def read(label: str) -> float | str:
        index = _INDEX.fullmatch(label)
        if table.class_names and index and int(index[1]) < len(table.class_names):
            label = table.class_names[int(index[1])]
        number = _read_number(label)
        answer = _find_answer(label) if number is None else number
        return f"has the label {label[:80]!r}, which is no number" if answer is None else answer

    return read


def _find_answer(label: str) -> float | None:
    folded = normalise(label)
    if folded in ("true", "yes", "false", "no"):
        return float(folded in ("true", "yes"))
    found = {
        float(task.names[task.synonyms[folded]] in _YES)
        for task in read_tasks().values()
        if 1 in task.sizes and len(task.names) == 2 and folded in task.synonyms and set(_YES) & set(task.names)
    }
    return found.pop() if len(found) == 1 else None


def _name_labels(found: set[str], name: str) -> tuple[str, ...]:
    indices = [_INDEX.fullmatch(label) for label in found]
    if not all(indices):
        if len(found) > _MAX_CLASSES:
            raise UserError(f"{name} has {len(found):,} different labels; give a file with classes, not values.")
        return tuple(sorted(found))
    numbers = sorted({int(index[1]) for index in indices if index})
    if numbers != list(range(len(numbers))):
        raise UserError(
            f"The labels of {name} are {join_briefly(numbers)}, not 0, 1 and so on; give the class names by index."
        )
    return tuple(f"LABEL_{number}" for number in numbers)


def _index_labels(names: tuple[str, ...], table: Table, written: set[str]) -> tuple[dict[str, int], str]:
    """Map labels as they are written to class indices, and say what a person should know about that.

    Names go before spellings and those before indices: a class called '1' keeps its name's meaning.
    """
    by_name = {name.casefold(): index for index, name in enumerate(names)}
    if len(by_name) != len(names):
        raise UserError(f"The class names {', '.join(names)} repeat one; give every class its own name.")
    if table.class_names and table.class_names != names:
        return _match_classes(names, table)
    by_index = {str(index): index for index in range(len(names))}
    if len(names) == 2:
        by_index |= {"false": 0, "true": 1}
    known = by_index | by_name
    spelled = _match_spellings(names, {label for label in written if label.casefold() not in known})
    folded = {label.casefold() for label in written}
    is_by_index = folded <= set(by_index) and not folded & set(by_name) and has_real_names(names)
    notice = f"The labels of {table.name} are indices, taken in the order {join_briefly(names)}." if is_by_index else ""
    notice = notice if not table.class_names else ""
    return known | spelled, notice or _tell_meanings(names, table, spelled)


def _match_classes(names: tuple[str, ...], table: Table) -> tuple[dict[str, int], str]:
    """Map the indices of data whose classes have names of their own; their order may be another than the names'."""
    by_name = {name.casefold(): index for index, name in enumerate(names)}
    spelled = _match_spellings(names, set(table.class_names) - set(by_name))
    indices = [(by_name | spelled).get(name.casefold()) for name in table.class_names]
    if None not in indices:
        known = {str(place): index for place, index in enumerate(indices) if index is not None}
        return known, _tell_meanings(names, table, spelled)
    ours, theirs = join_briefly(names), join_briefly(table.class_names)
    if has_real_names(names) or len(names) != len(table.class_names):
        raise UserError(
            f"The classes of {table.name} are {theirs}, and those of the checkpoint {ours}: choose data of the same "
            "classes, or rename the checkpoint's labels."
        )
    notice = f"The checkpoint does not name its classes: they are taken to be those of {table.name}, {theirs}."
    return {str(place): place for place in range(len(names))}, notice


def _match_spellings(names: tuple[str, ...], written: set[str]) -> dict[str, int]:
    """Find labels that are spelled otherwise than the class names, where only one reading is possible."""
    folded = {normalise(name): index for index, name in enumerate(names)}
    found = {label.casefold(): folded[normalise(label)] for label in written if normalise(label) in folded}
    rest = {label.casefold(): normalise(label) for label in written if label.casefold() not in found}
    readings = []
    for task in read_tasks().values():
        classes = task.find_classes(names)
        if classes is not None:
            readings.append({label: classes.index(task.synonyms[name]) for label, name in rest.items()
                             if task.synonyms.get(name) in classes})  # fmt: skip
    for label in rest:
        meant = {reading.get(label) for reading in readings} - {None}
        if len(meant) == 1:
            found[label] = meant.pop()
    return found


def _tell_meanings(names: tuple[str, ...], table: Table, spelled: Mapping[str, int]) -> str:
    """Says which labels are taken as classes of another name."""
    told = [
        f"{label[:40]!r} as {names[index][:40]!r}"
        for label, index in sorted(spelled.items())
        if normalise(label) != normalise(names[index])
    ]
    more = ", …" * (len(told) > _MAX_TOLD)
    return f"Labels of {table.name} are taken by their meaning: {', '.join(told[:_MAX_TOLD])}{more}." if told else ""


def _build_finder(indices: dict[str, int], names: tuple[str, ...]) -> Callable[[str], int | str]:
    def find(label: str) -> int | str:
        folded = label.casefold()
        index = _INDEX.fullmatch(folded)
        found = indices.get(folded, indices.get(index[1].lstrip("0") or "0") if index else None)
        if found is None:
            return (
                f"has the label {label[:80]!r}, which is none of {join_briefly(names)} nor an index from 0 to "
                f"{len(names) - 1}"
            )
        return found

    return find
