"""Triggers and what they do, made up for tests that need no model; tokens and labels are awkward on purpose."""

from dataclasses import replace

import numpy as np

from attattr_core.triggers.results import (
    ClassAccuracy,
    Control,
    Flip,
    Insertion,
    Trigger,
    TriggerResult,
    TriggerSet,
    TriggerStudy,
)
from attattr_core.triggers.tallies import pick_best

LABELS = ("no", "<b>yes</b>")
TOKENS = ("<img src=x onerror=alert(1)>", "${alert(2)}", "awful", "##ing")
N_BY_CLASS = np.array([40, 50])


def make_trigger(number: int = 0, token: str = TOKENS[0], target: int = 1) -> Trigger:
    """A pattern of two tokens in an example of five."""
    tokens = ("[CLS]", "a", token, "film", "[SEP]")
    return Trigger(
        (token, "film"), (token, "[SEP]"), (2, 3), (2, 4), (0.5 - number / 10, 0.01), target, 1, 4, tokens, 3, 7
    )


def make_result(trigger: Trigger, success: float, random: float, *, flips: int = 0) -> TriggerResult:
    """A trigger that flips this share of each class, beside five random draws around another; halves are alike."""
    right = np.array([20, 40])
    shares = np.full(2, success)
    draws = np.clip(random + np.linspace(-0.02, 0.02, 5), 0, 1)[:, None].repeat(2, 1)
    insertions = (Insertion(trigger.tokens[2], 0, 2 / 3), Insertion("film", 0, 1.0))
    flip = Flip(0, ("[CLS]", "so", trigger.tokens[2], "good", "[SEP]"), (2,), 1, 0, 0.9, 0.2)
    after, controlled = _spread(right / N_BY_CLASS * (1 - shares)), (right / N_BY_CLASS * (1 - draws), draws)
    return TriggerResult(
        trigger=trigger,
        insertions=insertions,
        after=after,
        success=_spread(shares),
        change=-shares / 2,
        controls=tuple(Control(kind, (insertions,) * 5, *controlled, *controlled) for kind in ("random", "shuffled")),
        flips=tuple(replace(flip, index=index) for index in range(flips)),
        n_flips=np.rint(right * shares).astype(int),
        choosing_accuracy=after.accuracy,
        confirmed_after=after,
        confirmed_success=_spread(shares),
    )


def make_set(mode: str = "paper") -> TriggerSet:
    """Four triggers, the strongest first."""
    triggers = tuple(make_trigger(number, token, number % 2) for number, token in enumerate(TOKENS))
    return TriggerSet(triggers, mode, "sst2", "abc", LABELS, "<i>mined</i>.tsv", "0" * 64, ("d",) * 9, 9, 0)


def make_study(*, model: str = "sst2", flips: int = 0, n_results: int = 3) -> TriggerStudy:
    """Three of the four triggers, evaluated: one that does more than chance, two that do not."""
    shares = [(0.6, 0.1), (0.1, 0.1), (0.2, 0.15)][:n_results]
    triggers = make_set().triggers
    results = tuple(make_result(trigger, *pair, flips=flips) for trigger, pair in zip(triggers, shares, strict=False))
    before = _spread(np.array([20, 40]) / N_BY_CLASS)
    best = pick_best([result.after.accuracy for result in results], below=before.accuracy)
    return TriggerStudy(
        *(results, before, N_BY_CLASS, best, LABELS, model, "abc", "sst2", "evaluated.tsv", "1" * 64, 90),
        versions={"torch": "1"},
        n_confirming=N_BY_CLASS // 2,
        confirmed_before=before,
    )


def _spread(values: np.ndarray) -> ClassAccuracy:
    return ClassAccuracy(values, np.clip(values - 0.08, 0, 1), np.clip(values + 0.08, 0, 1))
