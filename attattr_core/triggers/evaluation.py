"""Evaluate triggers: each is inserted into every example of another data set, beside its controls.

Plain forward passes, batched by length; no attribution. First every trigger runs once, then the controls of the three
best for each class, then all other controls, so that what matters is there first.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np

from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.cluster.workers import LocalWorkers, Run, Workers
from attattr_core.datasets import ExampleSet
from attattr_core.engine.products import find_product
from attattr_core.errors import UserError
from attattr_core.labels.order import rename_classes
from attattr_core.triggers.attack import Attack, check_classes
from attattr_core.triggers.controls import DEFAULT_SEEDS, KINDS
from attattr_core.triggers.insertion import (
    DEFAULT_THRESHOLD,
    Pieces,
    check_room,
    find_special_tokens,
    resolve_insertions,
)
from attattr_core.triggers.overlap import drop_mined
from attattr_core.triggers.passes import Controls, order_controls, prepare_passes
from attattr_core.triggers.patterns import SPECIAL_TOKENS, choose_insertions, choose_words
from attattr_core.triggers.results import (
    Insertion,
    Skipped,
    Trigger,
    TriggerResult,
    TriggerSet,
    TriggerStudy,
)
from attattr_core.triggers.tallies import N_BEST, measure_accuracy, pick_best
from attattr_core.triggers.versions import list_versions

DEFAULT_FLIPS = 20


@dataclass(frozen=True, eq=False)
class EvaluationSoFar:
    """Results so far, and how far the work is.

    Attributes:
        study: The triggers that have run, in their order; controls that did not run yet are missing.
        n_done: Passes over the data set done.
        n_total: Passes that there are to do.
    """

    study: TriggerStudy
    n_done: int
    n_total: int


def evaluate_triggers(
    checkpoint: Checkpoint,
    examples: ExampleSet,
    triggers: TriggerSet,
    *,
    use_all: bool = False,
    as_words: bool = False,
    threshold: float = DEFAULT_THRESHOLD,
    n_triggers: int | None = None,
    drop_overlap: bool = False,
    n_seeds: int = DEFAULT_SEEDS,
    only_best: bool = False,
    seed: int = 0,
    n_flips: int = DEFAULT_FLIPS,
    workers: Workers | None = None,
) -> Iterator[EvaluationSoFar]:
    """Measures what mined triggers do to a data set.

    Args:
        checkpoint: The classifier attacked.
        examples: Another data set than the one mined.
        triggers: From `attattr_core.triggers.mining.mine_triggers` or a file.
        use_all: Insert the tokens of both pairs even where the second entry is weak.
        as_words: Insert the whole words that the tokens belong to, cut into pieces anew.
        threshold: Least strength of the patterns that are used.
        n_triggers: How many of them, the first; None for all.
        drop_overlap: Leave examples out that were mined, in place of refusing.
        n_seeds: Controls of each kind beside each trigger; 0 for none.
        only_best: Measure controls only of the three best triggers of each class.
        seed: Where they begin.
        n_flips: Flipped examples kept for each trigger; the count is of all.
        workers: Who does the work; None for this process.

    Yields:
        The study so far; closing the generator stops the work.

    Raises:
        UserError: When examples were mined, no trigger is strong enough, or none can be inserted; a single one that
            cannot is skipped.
    """
    kept = select_triggers(triggers, threshold=threshold, n_triggers=n_triggers)
    special = SPECIAL_TOKENS | find_special_tokens(checkpoint)
    choose = choose_words if as_words else choose_insertions
    items = [(trigger, choose(trigger, use_all=use_all, special=special)) for trigger in kept]
    return evaluate_insertions(
        checkpoint,
        examples,
        items,
        as_words=as_words,
        mined=triggers.example_digests,
        source_model=triggers.model,
        drop_overlap=drop_overlap,
        n_seeds=n_seeds,
        only_best=only_best,
        seed=seed,
        n_flips=n_flips,
        workers=workers,
    )


def select_triggers(triggers: TriggerSet, *, threshold: float, n_triggers: int | None = None) -> list[Trigger]:
    """Selects the triggers that are used, in their order.

    Raises:
        UserError: When there is none, or none is strong enough.
    """
    if not triggers.triggers:
        raise UserError("The list holds no triggers: mine more examples.")
    kept = [trigger for trigger in triggers.triggers if trigger.strength >= threshold][:n_triggers]
    if not kept:
        raise UserError(
            f"None of the {len(triggers.triggers)} triggers has a strength of {threshold:g} or more: lower the "
            "threshold, or mine more examples."
        )
    return kept


def evaluate_insertions(
    checkpoint: Checkpoint,
    examples: ExampleSet,
    items: Sequence[tuple[Trigger | None, tuple[Insertion, ...]]],
    *,
    as_words: bool = False,
    mined: Collection[str] = (),
    source_model: str = "",
    drop_overlap: bool = False,
    n_seeds: int = DEFAULT_SEEDS,
    only_best: bool = False,
    seed: int = 0,
    n_flips: int = DEFAULT_FLIPS,
    workers: Workers | None = None,
) -> Iterator[EvaluationSoFar]:
    """Measures what any tokens at any places do to a data set.

    Args:
        checkpoint: The classifier attacked.
        examples: The data set.
        items: What is inserted, each with the pattern that it comes from, or None.
        as_words: Whether the tokens are words, to be cut into pieces.
        mined: Digests of examples that must not be evaluated on (see `attattr_core.datasets.digest_example`).
        source_model: What they were mined on.

    The other arguments, Yields and Raises are those of `evaluate_triggers`.
    """
    check_classes(checkpoint)
    examples = drop_mined(rename_classes(examples, checkpoint.labels), mined, drop=drop_overlap)
    if n_seeds < 0 or seed < 0:
        raise UserError(f"There are {n_seeds} controls from seed {seed}: choose 0 or more of both.")
    attack = Attack(checkpoint, examples.examples)
    usable, resolved, skipped = _resolve(attack, items, as_words=as_words)
    job = _Job(attack, examples, source_model or checkpoint.name, n_seeds, seed, skipped)
    prepare = partial(prepare_passes, examples=examples.examples, n_flips=n_flips)
    run = (workers or LocalWorkers(checkpoint)).start(prepare, onednn=find_product())
    return _evaluate(job, usable, resolved, run, only_best=only_best)


def _resolve(
    attack: Attack, items: Sequence[tuple[Trigger | None, tuple[Insertion, ...]]], *, as_words: bool
) -> tuple[list[tuple[Trigger | None, tuple[Insertion, ...]]], list[tuple[Pieces, ...]], tuple[Skipped, ...]]:
    """What can be inserted, what that is in the vocabulary, and what cannot."""
    usable, resolved, skipped = [], [], []
    for item in items:
        try:
            pieces = resolve_insertions(attack.checkpoint, item[1], as_words=as_words)
            check_room(attack.checkpoint, pieces, is_pair=attack.has_pairs)
        except UserError as error:
            skipped.append(Skipped(tuple(one.token for one in item[1]), str(error)))
        else:
            usable.append(item)
            resolved.append(pieces)
    if skipped and not usable:
        raise UserError(f"None of the {len(items)} triggers can be inserted. The first: {skipped[0].reason}")
    return usable, resolved, tuple(skipped)


@dataclass(frozen=True)
class _Job:
    """What an evaluation needs besides its triggers."""

    attack: Attack
    examples: ExampleSet
    source_model: str
    n_seeds: int
    seed: int
    skipped: tuple[Skipped, ...]


def _evaluate(
    job: _Job,
    items: Sequence[tuple[Trigger | None, tuple[Insertion, ...]]],
    resolved: Sequence[tuple[Pieces, ...]],
    run: Run,
    *,
    only_best: bool,
) -> Iterator[EvaluationSoFar]:
    n_labels = len(job.attack.checkpoint.labels)
    n_controlled = min(len(items), n_labels * N_BEST) if only_best else len(items)  # the best, at most
    n_total = 1 + len(items) + n_controlled * job.n_seeds * len(KINDS)
    ((_, _, job.attack.clean),) = run([("clean",)])
    found: dict[int, TriggerResult] = {}
    yield EvaluationSoFar(_summarise(job, []), 1, n_total)
    shards = (("trigger", *item, pieces) for item, pieces in zip(items, resolved, strict=True))
    with closing(run(shards)) as steps:
        for number, _, result in steps:
            found[number] = result
            results = [found[index] for index in sorted(found)]
            yield EvaluationSoFar(_summarise(job, results), 1 + len(found), n_total)
    order = order_controls(results, only_best=only_best) if job.n_seeds else []
    n_done, n_total = 1 + len(items), 1 + len(items) + len(order) * job.n_seeds * len(KINDS)
    controls = Controls(job.attack.checkpoint, results, n_seeds=job.n_seeds, seed=job.seed)
    places = list(product(order, KINDS, range(job.n_seeds)))
    with closing(run(controls.draw(place, resolved[place[0]]) for place in places)) as steps:
        for number, _, control in steps:
            controls.add(places[number], control)
            n_done += 1
            yield EvaluationSoFar(_summarise(job, controls.results), n_done, n_total)


def _summarise(job: _Job, results: Sequence[TriggerResult]) -> TriggerStudy:
    checkpoint, examples, gold = job.attack.checkpoint, job.examples, job.attack.gold
    n_labels = len(checkpoint.labels)
    right, confirming = job.attack.clean.argmax(1) == gold, job.attack.confirming
    chosen_by = measure_accuracy(gold[~confirming], right[~confirming], n_labels).accuracy
    return TriggerStudy(
        results=tuple(results),
        before=measure_accuracy(gold, right, n_labels),
        n_by_class=np.bincount(gold, minlength=n_labels),
        best=pick_best([result.choosing_accuracy for result in results], below=chosen_by),
        labels=checkpoint.labels,
        model=checkpoint.name,
        revision=checkpoint.revision,
        source_model=job.source_model,
        data=examples.file_name,
        data_sha256=examples.sha256,
        n_examples=len(examples),
        versions=list_versions(),
        n_confirming=np.bincount(gold[confirming], minlength=n_labels),
        confirmed_before=measure_accuracy(gold[confirming], right[confirming], n_labels),
        skipped=job.skipped,
    )
