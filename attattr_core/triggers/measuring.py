"""What one insertion does to a data set: accuracy, success, changes and flips on each gold class."""

from collections.abc import Sequence

import numpy as np

from attattr_core.triggers.attack import Attack
from attattr_core.triggers.insertion import Pieces, Triggered
from attattr_core.triggers.results import Control, Flip, Insertion, Trigger, TriggerResult
from attattr_core.triggers.tallies import Tally, measure_accuracy, measure_success


def measure_trigger(
    attack: Attack,
    trigger: Trigger | None,
    insertions: tuple[Insertion, ...],
    pieces: Sequence[Pieces],
    *,
    n_flips: int,
) -> TriggerResult:
    """Measures what a trigger does to each class.

    Args:
        attack: The data set, run clean.
        trigger: The pattern that it comes from, or None.
        insertions: What is inserted.
        pieces: The same in the checkpoint's vocabulary.
        n_flips: How many flipped examples are kept: those whose gold class lost most.
    """
    tally, triggered = attack.run(pieces)
    n_labels = len(attack.checkpoint.labels)
    return TriggerResult(
        trigger=trigger,
        insertions=insertions,
        after=measure_accuracy(tally.gold, tally.right_after, n_labels),
        success=measure_success(tally, n_labels),
        change=tally.average_changes(n_labels),
        controls=(),
        flips=_find_flips(tally, triggered, n_flips),
        n_flips=np.bincount(tally.gold[tally.flipped], minlength=n_labels),
    )


def _find_flips(tally: Tally, triggered: Sequence[Triggered], n_flips: int) -> tuple[Flip, ...]:
    flipped = np.flatnonzero(tally.flipped)
    order = flipped[np.argsort(tally.changes[flipped], kind="stable")][:n_flips].tolist()
    return tuple(
        Flip(
            index=index,
            tokens=triggered[index].encoded.tokens,
            inserted=triggered[index].inserted,
            before=int(tally.before[index].argmax()),
            after=int(tally.after[index].argmax()),
            probability_before=float(tally.before[index, tally.gold[index]]),
            probability_after=float(tally.after[index, tally.gold[index]]),
        )
        for index in order
    )


def measure_control(attack: Attack, drawn: Sequence[Pieces]) -> tuple[tuple[Insertion, ...], np.ndarray, np.ndarray]:
    """Measures a control: what was inserted, and accuracy and success on each gold class."""
    tally, _ = attack.run(drawn)
    n_labels = len(attack.checkpoint.labels)
    insertions = tuple(Insertion(" ".join(piece.tokens), piece.sentence, piece.place) for piece in drawn)
    accuracy = measure_accuracy(tally.gold, tally.right_after, n_labels).accuracy
    return insertions, accuracy, measure_success(tally, n_labels).accuracy


def join_controls(kind: str, measured: Sequence[tuple[tuple[Insertion, ...], np.ndarray, np.ndarray]]) -> Control:
    """Joins controls of one kind from several seeds."""
    insertions, accuracies, successes = zip(*measured, strict=True)
    return Control(kind, insertions, np.stack(accuracies), np.stack(successes))
