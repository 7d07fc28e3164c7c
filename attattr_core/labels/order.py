"""The same classes in another order: two checkpoints, or a checkpoint and a data set, matched by their names."""

from collections.abc import Sequence
from dataclasses import replace

from attattr_core.datasets import ExampleSet
from attattr_core.errors import UserError
from attattr_core.labels.tasks import is_placeholder, join_briefly, normalise, read_tasks


def map_labels(names: Sequence[str], wanted: Sequence[str], *, by_index: bool = False) -> tuple[int, ...]:
    """Finds for each class of one list its index in another, by name.

    Args:
        names: Class names by index.
        wanted: The same classes in another order; spellings that a known task takes for the same match.
        by_index: Take them by index where the names of either list say nothing (LABEL_0).

    Returns:
        For each of ``names`` the index into ``wanted``.

    Raises:
        UserError: When a class of the first list is not in the second.
    """
    folded = [normalise(name) for name in wanted]
    found = [folded.index(name) if name in folded else None for name in map(normalise, names)]
    if None not in found:
        return tuple(found)
    says_nothing = any(all(map(is_placeholder, side)) for side in (names, wanted))
    if by_index and says_nothing and len(names) <= len(wanted):
        return tuple(range(len(names)))
    for task in read_tasks().values():
        ours, theirs = task.find_classes(tuple(names)), task.find_classes(tuple(wanted))
        if ours and theirs and set(ours) <= set(theirs):
            return tuple(theirs.index(index) for index in ours)
    raise UserError(
        f"The classes {join_briefly(names)} are not those of the model, {join_briefly(wanted)}: choose data and models "
        "of the same task."
    )


def rename_classes(examples: ExampleSet, labels: Sequence[str]) -> ExampleSet:
    """Gives examples the class indices that a checkpoint's labels have; bare indices (LABEL_0) keep theirs.

    Raises:
        UserError: As `map_labels`.
    """
    if examples.label_names == tuple(labels):
        return examples
    order = map_labels(examples.label_names, labels, by_index=True)
    renamed = tuple(replace(example, label=order[example.label]) for example in examples.examples)
    return replace(examples, examples=renamed, label_names=tuple(labels))
