"""Triggers of one checkpoint against another: tokens as they are where both have one vocabulary, else through words."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.datasets import ExampleSet
from attattr_core.labels.order import map_labels, rename_classes
from attattr_core.triggers.evaluation import (
    EvaluationSoFar,
    evaluate_insertions,
    select_triggers,
)
from attattr_core.triggers.insertion import DEFAULT_THRESHOLD, find_special_tokens
from attattr_core.triggers.patterns import SPECIAL_TOKENS, choose_insertions, choose_words
from attattr_core.triggers.results import Trigger, TriggerSet


def transfer_triggers(
    source: Checkpoint,
    target: Checkpoint,
    examples: ExampleSet,
    triggers: TriggerSet,
    *,
    use_all: bool = False,
    threshold: float = DEFAULT_THRESHOLD,
    n_triggers: int | None = None,
    as_words: bool = False,
    **options: Any,
) -> Iterator[EvaluationSoFar]:
    """Measures what triggers of one checkpoint do to another.

    Args:
        source: The checkpoint that they were mined on.
        target: The checkpoint attacked; its classes are matched by name.
        examples: The data set.
        triggers: The triggers.
        use_all: Insert the tokens of both pairs even where the second entry is weak.
        threshold: Least strength of the patterns that are used.
        n_triggers: How many of them, the first; None for all.
        as_words: Go through words even where both have one vocabulary.
        options: Further ones of `attattr_core.triggers.evaluation.evaluate_insertions`.

    Yields:
        The study so far; its labels, and those of its triggers, are the target's.

    Raises:
        UserError: When the classes of both are not the same, or as `evaluate_insertions`.
    """
    special = SPECIAL_TOKENS | find_special_tokens(source)
    through_words = as_words or not has_same_vocabulary(source, target)
    order = map_labels(source.labels, target.labels)
    items = []
    for trigger in select_triggers(triggers, threshold=threshold, n_triggers=n_triggers):
        choose = choose_words if through_words else choose_insertions
        insertions = choose(trigger, use_all=use_all, special=special)
        items.append((_rename(trigger, order), insertions))
    return evaluate_insertions(
        target,
        rename_classes(examples, target.labels),
        items,
        as_words=through_words,
        mined=triggers.example_digests,
        source_model=triggers.model or source.name,
        **options,
    )


def has_same_vocabulary(one: Checkpoint, other: Checkpoint) -> bool:
    """Tells whether two checkpoints name and number their pieces alike."""
    return one.tokenizer.get_vocab() == other.tokenizer.get_vocab()


def _rename(trigger: Trigger, order: tuple[int, ...]) -> Trigger:
    labels = [order[label] if label < len(order) else label for label in (trigger.target_label, trigger.golden_label)]
    return replace(trigger, target_label=labels[0], golden_label=labels[1])
