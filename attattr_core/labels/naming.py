"""Honest label names: what a configuration contradicts, and corrections by the user; `probe_labels` proposes names.

Nothing here changes a checkpoint by itself, and torch is loaded only when the probe runs the model.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from attattr_core.errors import UserError
from attattr_core.labels.probe import LabelProposal, ProbeEvidence, probe_labels
from attattr_core.labels.tasks import has_real_names, is_placeholder, join_briefly, normalise

if TYPE_CHECKING:
    from attattr_core.checkpoints.checkpoint import Checkpoint

__all__ = [
    "MAX_NAME",
    "LabelProposal",
    "ProbeEvidence",
    "check_names",
    "find_label_conflicts",
    "has_real_names",
    "probe_labels",
    "rename_labels",
]

MAX_NAME = 80  # characters
_MAX_LISTED = 5


def find_label_conflicts(id2label: Any, label2id: Any) -> tuple[str, ...]:
    """Finds what is wrong with the label names of a configuration.

    Args:
        id2label: As in ``config.json``, which is not trusted.
        label2id: As in ``config.json``.

    Returns:
        A sentence for each contradiction and each kind of missing, blank, repeated or meaningless name.
    """
    if not isinstance(id2label, dict) or not id2label:
        return ("The configuration names no classes.",)
    names = {str(index): name for index, name in id2label.items()}
    return (*_find_bad_names(names), *_find_contradictions(names, label2id))


def rename_labels(checkpoint: "Checkpoint", names: Sequence[str]) -> "Checkpoint":
    """Corrects the label names; the checkpoint given stays as it is, and the new one shares its model.

    Args:
        checkpoint: The classifier.
        names: One name for each class, by class index; spaces around them are dropped.

    Raises:
        UserError: When they are not as many as the classes, blank, too long, or not different from one another.
    """
    return replace(checkpoint, labels=check_names(names, len(checkpoint.labels)))


def check_names(names: Sequence[str], n_classes: int) -> tuple[str, ...]:
    """Checks label names that a person gives.

    Args:
        names: One name for each class, by class index; spaces around them are dropped.
        n_classes: How many classes there are.

    Returns:
        The names.

    Raises:
        UserError: When they are not as many as the classes, blank, too long, or not different from one another.
    """
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise UserError(f"The label names are {names!r:.80}: give a list with one name for each class.")
    labels = tuple(name.strip() for name in names)
    if len(labels) != n_classes:
        raise UserError(f"There are {len(labels)} label names for {n_classes} classes: give one for each.")
    for index, label in enumerate(labels):
        if not label or not label.isprintable():
            raise UserError(f"The name of class {index} is {label!r:.80}: type a readable name.")
        if len(label) > MAX_NAME:
            raise UserError(f"The name of class {index} has {len(label)} characters: up to {MAX_NAME} are taken.")
        if label.casefold() == "predicted":
            raise UserError(f"The name of class {index} is {label!r}, which stands for whatever the model predicts.")
        if label.casefold() in [other.casefold() for other in labels[:index]]:
            raise UserError(f"The label name {label!r} is given twice: name each class differently.")
    return labels


def _find_bad_names(names: dict[str, Any]) -> Iterator[str]:
    if set(names) != {str(index) for index in range(len(names))}:
        yield f"The classes are numbered {join_briefly(names)} instead of from 0 to {len(names) - 1}."
    texts = {index: name for index, name in names.items() if isinstance(name, str) and name.strip()}
    if len(texts) < len(names):
        yield f"Class {join_briefly(index for index in names if index not in texts)} has no name."
    hollow = [name for name in texts.values() if is_placeholder(name)]
    if hollow:
        yield f"The name {join_briefly(hollow)} says nothing about its class."
    counts = Counter(map(normalise, texts.values()))
    repeated = [name for name in texts.values() if counts[normalise(name)] > 1]
    if repeated:
        yield f"Several classes share a name: {join_briefly(repeated)}."


def _find_contradictions(names: dict[str, Any], label2id: Any) -> Iterator[str]:
    if not label2id:
        return
    if not isinstance(label2id, dict):
        yield "label2id is not a table of names, so it cannot be compared with id2label."
        return
    rightful = {name: index for index, name in names.items() if isinstance(name, str)}
    strangers = [name for name in label2id if name not in rightful]
    swapped = [name for name, index in label2id.items() if name in rightful and names.get(str(index)) != name]
    for name in swapped[:_MAX_LISTED]:
        yield (
            f"id2label says that {name[:40]!r} is class {rightful[name][:20]}, label2id that it is class "
            f"{str(label2id[name])[:20]}."
        )
    if len(swapped) > _MAX_LISTED:
        yield f"id2label and label2id differ in {len(swapped) - _MAX_LISTED} more classes."
    if strangers:
        yield f"label2id names classes that id2label does not: {join_briefly(strangers)}."
