"""What triggers are, and what they do to a data set."""

from dataclasses import dataclass

import numpy as np

from attattr_core.settings import Settings


@dataclass(frozen=True)
class Insertion:
    """A token and the place where it goes.

    Attributes:
        token: A piece of the tokenizer's vocabulary, such as ``"##ness"``, or a word.
        sentence: 0 for sentence A, 1 for B.
        place: Share of the sentence before it, from 0 to 1.
    """

    token: str
    sentence: int
    place: float


@dataclass(frozen=True)
class Trigger:
    """A pattern of one example: the two strongest entries of its strongest head.

    Attributes:
        top1_pattern: Receiving and sending token of the strongest entry.
        top2_pattern: Those of the second.
        top1_position: Their positions in `tokens`.
        top2_position: Those of the second.
        max_combined_attr: The two entries' attributions, in units of F.
        target_label: The class predicted, and explained.
        golden_label: The gold class.
        seg_pos: Position of the first separator.
        tokens: The example's tokens, special ones included.
        layer: Where the head is, or None where a file does not say.
        head: Which one it is, or None.
    """

    top1_pattern: tuple[str, str]
    top2_pattern: tuple[str, str]
    top1_position: tuple[int, int]
    top2_position: tuple[int, int]
    max_combined_attr: tuple[float, float]
    target_label: int
    golden_label: int
    seg_pos: int
    tokens: tuple[str, ...]
    layer: int | None = None
    head: int | None = None

    @property
    def strength(self) -> float:
        """Sum of the two attributions, by which triggers are sorted."""
        return sum(self.max_combined_attr)


@dataclass(frozen=True, eq=False)
class TriggerSet:
    """Triggers mined from a data set: the strongest first, or in pooled mode those that did most on held-out examples.

    Attributes:
        triggers: The patterns.
        mode: ``"paper"`` or another way of mining.
        model: Name of the checkpoint.
        revision: What identifies its weights.
        labels: Its class names by index.
        data: Name of the file or data set.
        data_sha256: Its digest.
        example_digests: What identifies each example that was used, so that none of them is evaluated on.
        n_examples: How many were used.
        seed: Where the choice of examples began, or None for the first ones.
        settings: The convention of the attributions.
        versions: Versions of the packages that computed it.
    """

    triggers: tuple[Trigger, ...]
    mode: str
    model: str = ""
    revision: str = ""
    labels: tuple[str, ...] = ()
    data: str = ""
    data_sha256: str = ""
    example_digests: tuple[str, ...] = ()
    n_examples: int = 0
    seed: int | None = None
    settings: Settings | None = None
    versions: dict[str, str] | None = None


@dataclass(frozen=True, eq=False)
class ClassAccuracy:
    """Accuracy on the examples of each gold class, with 95 % Wilson intervals.

    Attributes:
        accuracy: (C,), NaN for a class without examples.
        low: (C,).
        high: (C,).
    """

    accuracy: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, eq=False)
class Control:
    """The same number of other tokens at the same places, or the same tokens shuffled among the places.

    Attributes:
        kind: ``"random"`` or ``"shuffled"``.
        insertions: What was inserted, for each seed.
        accuracy: Accuracy on each gold class for each seed, (n_seeds, C).
        success: Attack success rate on each gold class for each seed, (n_seeds, C).
        confirmed_accuracy: Accuracy on the confirming half (see `TriggerStudy`); None where it was not measured.
        confirmed_success: Attack success rate on the confirming half; None where it was not measured.
    """

    kind: str
    insertions: tuple[tuple[Insertion, ...], ...]
    accuracy: np.ndarray
    success: np.ndarray
    confirmed_accuracy: np.ndarray | None = None
    confirmed_success: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Flip:
    """An example that was right before and is wrong with the trigger.

    Attributes:
        index: Its number in the evaluation data, from 0.
        tokens: Its tokens with the trigger.
        inserted: Positions of inserted tokens in `tokens`.
        before: Class predicted without the trigger.
        after: Class predicted with it.
        probability_before: Probability of the gold class without it.
        probability_after: And with it.
    """

    index: int
    tokens: tuple[str, ...]
    inserted: tuple[int, ...]
    before: int
    after: int
    probability_before: float
    probability_after: float


@dataclass(frozen=True, eq=False)
class TriggerResult:
    """What one trigger, put into every example, does.

    Attributes:
        trigger: The pattern; None for tokens of the user's own.
        insertions: What was inserted.
        after: Accuracy with the trigger.
        success: Share of the examples of each gold class that were right before and are wrong now, among those right
            before, with 95 % Wilson intervals.
        change: Mean change of the gold class's probability on each gold class, (C,).
        controls: Beside it.
        flips: Some of the examples that flipped; not kept where texts must not be.
        n_flips: How many did, by gold class, (C,).
        choosing_accuracy: Accuracy with the trigger on the choosing half (see `TriggerStudy`), (C,), by which the best
            are picked; None where nothing was split.
        confirmed_after: Accuracy with the trigger on the confirming half; None where nothing was split.
        confirmed_success: Attack success rate on the confirming half; None where nothing was split.
    """

    trigger: Trigger | None
    insertions: tuple[Insertion, ...]
    after: ClassAccuracy
    success: ClassAccuracy
    change: np.ndarray
    controls: tuple[Control, ...]
    flips: tuple[Flip, ...]
    n_flips: np.ndarray
    choosing_accuracy: np.ndarray | None = None
    confirmed_after: ClassAccuracy | None = None
    confirmed_success: ClassAccuracy | None = None


@dataclass(frozen=True)
class Skipped:
    """A trigger that could not be inserted.

    Attributes:
        tokens: Its tokens.
        reason: Why, in a sentence.
    """

    tokens: tuple[str, ...]
    reason: str


@dataclass(frozen=True, eq=False)
class TriggerStudy:
    """What triggers do to a data set.

    The best are picked on one half of each class's examples, the choosing half, and measured once more on the other,
    the confirming half, since what is picked and measured on the same examples looks better than it is (see
    `attattr_core.triggers.halves`). All other figures are of all examples.

    Attributes:
        results: One a trigger, in the order of the triggers.
        before: Accuracy without any trigger.
        n_by_class: Examples of each gold class, (C,).
        best: For each class, the numbers of up to three triggers that lower its accuracy most on the choosing half.
        labels: Class names by index.
        model: Name of the checkpoint attacked.
        revision: What identifies its weights.
        source_model: The checkpoint that the triggers were mined on; another one in a transfer.
        data: Name of the evaluation data.
        data_sha256: Its digest.
        n_examples: How many examples.
        versions: Versions of the packages that computed it.
        n_confirming: Examples of each gold class in the confirming half, (C,), 0 for a class too small to be split;
            None where nothing was split.
        confirmed_before: Accuracy without any trigger on the confirming half; None where nothing was split.
        skipped: Triggers that could not be inserted, and why.
    """

    results: tuple[TriggerResult, ...]
    before: ClassAccuracy
    n_by_class: np.ndarray
    best: tuple[tuple[int, ...], ...]
    labels: tuple[str, ...]
    model: str
    revision: str
    source_model: str
    data: str
    data_sha256: str
    n_examples: int
    versions: dict[str, str]
    n_confirming: np.ndarray | None = None
    confirmed_before: ClassAccuracy | None = None
    skipped: tuple[Skipped, ...] = ()
