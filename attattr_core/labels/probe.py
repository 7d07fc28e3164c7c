"""Probe what a classifier's classes mean: a few canonical texts a task, and the order of classes that fits them best.

Torch is loaded only when the model is run.
"""

from dataclasses import dataclass
from functools import cache
from itertools import permutations
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from attattr_core.labels.tasks import Task, has_real_names, join_briefly, read_tasks

if TYPE_CHECKING:
    from attattr_core.checkpoints.checkpoint import Checkpoint

# What a proposal needs: how likely chance would do as well anywhere, how far the mean probability of the expected class
# is from chance (0) to certainty (1), and how far it is above the second-best order.
_LEVELS = {"sure": (1e-3, 0.6, 0.3), "likely": (5e-3, 0.3, 0.15)}
_RIVAL = 0.1  # a task that fits nearly as well makes a proposal one level less confident


@dataclass(frozen=True)
class ProbeEvidence:
    """What the model says to one probe.

    Attributes:
        texts: The sentence, or the pair.
        expected: The name of the class that is right under the proposal; with a single logit, "high" or "low".
        probabilities: The model's probabilities by class index; with a single logit, its value.
        matches: Whether the model gives the expected class.
    """

    texts: tuple[str, ...]
    expected: str
    probabilities: tuple[float, ...]
    matches: bool


@dataclass(frozen=True)
class LabelProposal:
    """Task and label names that fit what a model does.

    Attributes:
        labels: Names by class index: the proposed ones, or the checkpoint's own when the confidence is "unclear".
        confidence: "sure", "likely" or "unclear".
        task: Name of the task that fits best (see `attattr_core.labels.tasks`), or "" when none was tried.
        summary: What was found, in a sentence.
        suspicion: What speaks against the checkpoint's own names, in a sentence, or "".
        agreement: Mean probability of the expected class; with a single logit, the share of pairs in the right order.
        margin: How far that is above the same for the second-best order of the classes.
        rival: Name of another task that fits nearly as well, or "".
        evidence: The probes of the task that fits best.
    """

    labels: tuple[str, ...]
    confidence: str
    task: str
    summary: str
    suspicion: str = ""
    agreement: float = 0.0
    margin: float = 0.0
    rival: str = ""
    evidence: tuple[ProbeEvidence, ...] = ()


def probe_labels(checkpoint: "Checkpoint") -> LabelProposal:
    """Finds out what a classifier's classes mean from what it says to a few canonical sentences and pairs.

    Names that belong to a known task are tested against that task; placeholders are tried against every task with as
    many classes; other names are left alone. A model that answers as chance would is called "unclear": see `_LEVELS`.
    The proposal says that the model behaves like a classifier for the task, not that it was trained as one.

    Args:
        checkpoint: The classifier; it is run, and not changed.

    Returns:
        The proposal, with its evidence.
    """
    labels = checkpoint.labels
    known = [task for task in read_tasks().values() if task.find_classes(labels) is not None]
    if not known and has_real_names(labels):
        return _leave_alone(labels, "belong to no task that can be probed here")
    tasks = known or [task for task in read_tasks().values() if len(labels) in task.sizes]
    if not tasks:
        return _leave_alone(labels, f"cannot be probed, since no task with {len(labels)} classes is known here")
    outputs = {task.name: _run(checkpoint, task) for task in tasks}
    if not all(np.isfinite(output).all() for output in outputs.values()):
        return _leave_alone(labels, "cannot be probed, since the model gives values that are not numbers")
    n_orders = sum(len(_list_orders(task, len(labels))) for task in tasks)
    fits = [_fit(task, outputs[task.name]) for task in tasks]
    best, *others = sorted(fits, key=lambda fit: fit.strength, reverse=True)
    near = [fit for fit in others if best.strength - fit.strength < _RIVAL]
    is_ambiguous = any(fit.name_classes(labels) != best.name_classes(labels) for fit in near)
    return _propose(labels, best, near, _rate(best, n_orders, is_ambiguous))


@dataclass(frozen=True)
class _Fit:
    """How well the best order of a task's classes fits the model's outputs to its probes.

    ``order`` holds for each class index the index into the task's names. With a single logit it holds one index: what
    a high value means.
    """

    task: Task
    order: tuple[int, ...]
    outputs: np.ndarray
    expected: np.ndarray
    matches: np.ndarray
    agreement: float
    margin: float
    chance: float

    @property
    def strength(self) -> float:
        """The agreement, from chance (0) to certainty (1)."""
        floor = 1 / max(2, len(self.order))
        return (self.agreement - floor) / (1 - floor)

    def name_classes(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        """Names the classes in this order, in the model's own spelling where it has the task's names."""
        spelled = self.task.find_classes(labels)
        if spelled is None or set(spelled) != set(self.order):
            return tuple(self.task.names[index] for index in self.order)
        return tuple(labels[spelled.index(index)] for index in self.order)


def _run(checkpoint: "Checkpoint", task: Task) -> np.ndarray:
    """Runs a task's probes: probabilities, (n_probes, n_classes), or the values of a single logit."""
    import torch

    from attattr_core.engine.encoding import collate, encode
    from attattr_core.engine.families import find_family

    config = checkpoint.model.config
    encoded = [encode(checkpoint, *texts) for texts, _ in task.probes]
    # where padding changes a result, or the head reads the last position, each runs alone
    is_single = config.pad_token_id == -1 or find_family(config.model_type).sees_padding
    batches = [[example] for example in encoded] if is_single else [encoded]
    with torch.no_grad():
        logits = torch.cat([checkpoint.model(**collate(checkpoint, batch)).logits for batch in batches])
    logits = logits.cpu().double()  # in this order: MPS has no float64
    if logits.shape[-1] == 1:
        return logits.numpy()
    is_multi = config.problem_type == "multi_label_classification"
    return (logits.sigmoid() if is_multi else logits.softmax(-1)).numpy()


def _list_orders(task: Task, n_classes: int) -> list[tuple[int, ...]]:
    classes = tuple(range(len(task.names)))
    if n_classes == 1:
        return [(index,) for index in classes]
    return [classes, classes[::-1]] if task.is_ordered else list(permutations(classes))


def _fit(task: Task, outputs: np.ndarray) -> _Fit:
    """Tries every order of a task's classes."""
    kinds = np.array([kind for _, kind in task.probes])
    compare = _compare_values if outputs.shape[-1] == 1 else _compare_probabilities
    tried = [(order, *compare(outputs, kinds, order)) for order in _list_orders(task, outputs.shape[-1])]
    (order, expected, matches, agreement, chance), second = sorted(tried, key=lambda one: -one[3])[:2]
    return _Fit(task, order, outputs, expected, matches, float(agreement), float(agreement - second[3]), chance)


def _compare_probabilities(outputs: np.ndarray, kinds: np.ndarray, order: tuple[int, ...]) -> tuple:
    expected = np.argsort(order)[kinds]  # the class index of each probe
    matches = outputs.argmax(-1) == expected
    chance = _sum_binomial(len(kinds), int(matches.sum()), 1 / len(order))
    return expected, matches, outputs[np.arange(len(kinds)), expected].mean(), chance


def _compare_values(outputs: np.ndarray, kinds: np.ndarray, order: tuple[int, ...]) -> tuple:
    values, is_high = outputs[:, 0], kinds == order[0]
    high, low = values[is_high][:, None], values[~is_high][None]
    agreement = (high > low).mean() + (high == low).mean() / 2
    matches = (values > np.median(values)) == is_high
    n_high, n_low = high.size, low.size
    chance = _sum_ranks(n_high, n_low, int(agreement * n_high * n_low)) / comb(n_high + n_low, n_high)
    return is_high.astype(int), matches, agreement, chance


@cache
def _sum_binomial(n: int, at_least: int, probability: float) -> float:
    return sum(comb(n, k) * probability**k * (1 - probability) ** (n - k) for k in range(at_least, n + 1))


def _sum_ranks(n_high: int, n_low: int, at_least: int) -> int:
    """Counts the rankings in which at least so many of the pairs (high, low) are in the right order."""
    return sum(_count_ranks(n_high, n_low, n) for n in range(at_least, n_high * n_low + 1))


@cache
def _count_ranks(n_high: int, n_low: int, n_right: int) -> int:
    if n_right < 0 or n_high == 0 or n_low == 0:
        return int(n_right == 0)
    # the largest value is a high one, right in all its pairs, or a low one, right in none
    return _count_ranks(n_high - 1, n_low, n_right - n_low) + _count_ranks(n_high, n_low - 1, n_right)


def _rate(fit: _Fit, n_orders: int, is_ambiguous: bool) -> str:
    levels = [
        level
        for level, (chance, strength, margin) in _LEVELS.items()
        if fit.chance * n_orders <= chance and fit.strength >= strength and fit.margin >= margin
    ]
    return [*levels, "unclear", "unclear"][is_ambiguous]


def _propose(labels: tuple[str, ...], fit: _Fit, near: list[_Fit], confidence: str) -> LabelProposal:
    found, spelled = fit.name_classes(labels), fit.task.find_classes(labels)
    count = f"{int(fit.matches.sum())} of {len(fit.matches)} probes as expected, on average {fit.agreement:.2f}"
    reading = f"{fit.task.about}, {', '.join(f'{index} = {name}' for index, name in enumerate(found))} ({count})"
    suspicion = ""
    if confidence == "unclear":
        summary = f"Unclear: nothing fits the model's answers well and alone; the best guess is {reading}."
    else:
        summary = f"The model behaves like a classifier of {reading}."
        if near:
            summary += f" It might also decide {near[0].task.about}."
        if spelled is not None and spelled != fit.order:
            suspicion = (
                f"The names say {', '.join(labels)}, but the model answers as if its classes were {', '.join(found)} "
                f"({count})."
            )
    evidence = tuple(
        ProbeEvidence(texts, _name_expected(found, expected), tuple(map(float, output)), bool(match))
        for (texts, _), expected, output, match in zip(
            fit.task.probes, fit.expected, fit.outputs, fit.matches, strict=True
        )
    )
    return LabelProposal(
        labels if confidence == "unclear" else found,
        confidence,
        fit.task.name,
        summary,
        suspicion,
        fit.agreement,
        fit.margin,
        near[0].task.name if near else "",
        evidence,
    )


def _name_expected(found: tuple[str, ...], expected: int) -> str:
    return found[expected] if len(found) > 1 else ("low", "high")[expected]


def _leave_alone(labels: tuple[str, ...], reason: str) -> LabelProposal:
    return LabelProposal(labels, "unclear", "", f"The names {join_briefly(labels)} {reason}.")
