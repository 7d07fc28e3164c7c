"""What one insertion does to a data set: accuracy, success, changes and flips on each gold class."""

from collections.abc import Sequence

import numpy as np

from attattr_core.triggers.attack import Attack
from attattr_core.triggers.insertion import Pieces, Triggered
from attattr_core.triggers.results import Control, Flip, Insertion, Trigger, TriggerResult
from attattr_core.triggers.tallies import Tally, measure_after, measure_success


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
    confirming = tally.pick(attack.confirming)
    return TriggerResult(
        trigger=trigger,
        insertions=insertions,
        after=measure_after(tally, n_labels),
        success=measure_success(tally, n_labels),
        change=tally.average_changes(n_labels),
        controls=(),
        flips=_find_flips(tally, triggered, n_flips),
        n_flips=np.bincount(tally.gold[tally.flipped], minlength=n_labels),
        choosing_accuracy=measure_after(tally.pick(~attack.confirming), n_labels).accuracy,
        confirmed_after=measure_after(confirming, n_labels),
        confirmed_success=measure_success(confirming, n_labels),
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


def measure_control(attack: Attack, kind: str, drawn: Sequence[Pieces]) -> Control:
    """Measures a control of one seed."""
    tally, _ = attack.run(drawn)
    n_labels = len(attack.checkpoint.labels)
    confirming = tally.pick(attack.confirming)
    return Control(
        kind=kind,
        insertions=(tuple(Insertion(" ".join(piece.tokens), piece.sentence, piece.place) for piece in drawn),),
        accuracy=measure_after(tally, n_labels).accuracy[None],
        success=measure_success(tally, n_labels).accuracy[None],
        confirmed_accuracy=measure_after(confirming, n_labels).accuracy[None],
        confirmed_success=measure_success(confirming, n_labels).accuracy[None],
    )


def join_controls(controls: Sequence[Control]) -> Control:
    """Joins controls of one kind from several seeds."""
    shares = ("accuracy", "success", "confirmed_accuracy", "confirmed_success")
    return Control(
        kind=controls[0].kind,
        insertions=tuple(insertions for control in controls for insertions in control.insertions),
        **{name: np.concatenate([getattr(control, name) for control in controls]) for name in shares},
    )
