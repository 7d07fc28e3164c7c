"""The passes over a data set that an evaluation of triggers is made of, for whoever does the work."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import numpy as np

from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.cluster.workers import Work
from attattr_core.datasets import Example
from attattr_core.triggers.attack import Attack
from attattr_core.triggers.controls import KINDS, draw_random, draw_shuffled, list_random_pieces
from attattr_core.triggers.insertion import Pieces
from attattr_core.triggers.measuring import join_controls, measure_control, measure_trigger
from attattr_core.triggers.results import Control, TriggerResult
from attattr_core.triggers.tallies import pick_best

#: Of a control: which trigger it stands beside, its kind, and its number.
Place = tuple[int, str, int]


def prepare_passes(checkpoint: Checkpoint, examples: Sequence[Example], n_flips: int) -> Work:
    """Prepares passes over examples: as they are, with a trigger, or with a control.

    Returns:
        What takes ``"clean"``; or ``"trigger"``, the trigger, what is inserted and the pieces; or a control's kind and
        its pieces.
    """
    attack = Attack(checkpoint, examples)
    attack.run_clean()

    def work(kind: str, *inserted: Any) -> Iterator[tuple[float, Any]]:
        if kind == "clean":
            yield 1.0, attack.clean
        elif kind == "trigger":
            yield 1.0, measure_trigger(attack, *inserted, n_flips=n_flips)
        else:
            yield 1.0, measure_control(attack, kind, *inserted)

    return work


def order_controls(results: Sequence[TriggerResult], *, only_best: bool) -> list[int]:
    """Orders the triggers that have controls: the best of every class first, then all others."""
    best = pick_best([result.choosing_accuracy for result in results])
    ranked = [index for row in zip_longest(*best) for index in row if index is not None]
    return list(dict.fromkeys([*ranked, *([] if only_best else range(len(results)))]))


class Controls:
    """Controls so far, and the results that they stand beside.

    Attributes:
        results: Those of the triggers; a kind of control is there when all its numbers are.
    """

    def __init__(self, checkpoint: Checkpoint, results: Sequence[TriggerResult], *, n_seeds: int, seed: int) -> None:
        """Draws nothing yet."""
        self.results = list(results)
        self._n_seeds, self._seed = n_seeds, seed
        self._whole = list_random_pieces(checkpoint)
        self._found: dict[tuple[int, str], dict[int, Control]] = defaultdict(dict)

    def draw(self, place: Place, pieces: Sequence[Pieces]) -> tuple[str, Sequence[Pieces]]:
        """Draws a control of a trigger's pieces, as `prepare_passes` takes it."""
        index, kind, number = place
        generator = np.random.default_rng([self._seed, index, KINDS.index(kind), number])
        if kind == "random":
            return kind, draw_random(pieces, self._whole, generator)
        return kind, draw_shuffled(pieces, generator)

    def add(self, place: Place, control: Control) -> None:
        """Adds what a control did."""
        index, kind, number = place
        self._found[index, kind][number] = control
        kinds = [self._found[index, name] for name in KINDS]
        joined = [join_controls([one[n] for n in sorted(one)]) for one in kinds if len(one) == self._n_seeds]
        self.results[index] = replace(self.results[index], controls=tuple(joined))
