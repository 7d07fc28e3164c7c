"""Pruning curves: how good a classifier is as more and more of its heads are switched off (section 4.3 of the paper).

A pruned head's attention probabilities are multiplied by 0 after the softmax and nothing is renormalised; the
checkpoint itself is not changed. Every mask runs once, however many curves share it, and starts at the first layer
in which it differs from the mask before.
"""

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np

from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.cluster.workers import LocalWorkers, Workers
from attattr_core.datasets import ExampleSet, digest_example, pick_examples
from attattr_core.engine.encoding import encode_all
from attattr_core.engine.families import count_heads
from attattr_core.engine.products import find_product
from attattr_core.errors import UserError
from attattr_core.files.work_files import Pace
from attattr_core.heads.metrics import N_RESAMPLES
from attattr_core.heads.plan import MAX_SEEDS, RANDOM, RATES, Plan, count_pruned, make_plan
from attattr_core.heads.predictions import choose_metric, list_buckets, prepare_predicting, read_gold
from attattr_core.heads.progress_files import Predictions, find_fingerprint, load_predictions, save_predictions
from attattr_core.heads.results import DIRECTIONS, HeadImportance, HeadStudy
from attattr_core.heads.summary import Summary, summarise

DEFAULT_SEEDS = 10
_MAX_BYTES = 2 << 30
_GROWTH = 1.1  # the study is summarised anew when there are so many times the examples


@dataclass(frozen=True, eq=False)
class StudySoFar:
    """A study while it is measured.

    Attributes:
        study: What is known so far, on the examples that ran with all masks; no curves before the first of them did.
        n_done: Passes of single examples that are done.
        n_total: All of them: examples times different masks.
    """

    study: HeadStudy
    n_done: int
    n_total: int


def measure_curves(
    checkpoint: Checkpoint,
    examples: ExampleSet,
    importances: Mapping[str, HeadImportance],
    *,
    rates: Sequence[float] = RATES,
    every_head: bool = False,
    directions: Sequence[str] = DIRECTIONS,
    n_seeds: int = DEFAULT_SEEDS,
    seed: int = 0,
    metric: str | None = None,
    layerwise: bool = False,
    state: str | Path | None = None,
    workers: Workers | None = None,
) -> Iterator[StudySoFar]:
    """Measures pruning curves of several importances on one data set.

    Args:
        checkpoint: The classifier; it is left as it is.
        examples: Labelled by the checkpoint's class indices, or by values for a regression.
        importances: By name; all (L, H) of this checkpoint. Random orders take the place of one named ``"random"``.
        rates: Shares of the heads that are pruned, rising.
        every_head: A point for every number of heads instead.
        directions: Which heads go first, some of `DIRECTIONS`.
        n_seeds: Random orders, drawn as one band; 0 for none.
        seed: Where they begin.
        metric: One of `METRICS`; None takes Pearson's correlation for a regression, Matthews' for CoLA, else accuracy.
        layerwise: Whether to measure the effectiveness check too: 0 to H heads from every layer at once.
        state: A file that keeps what is measured; with it a run that was cut off goes on where it stopped.
        workers: Who does the work; None for this process.

    Returns:
        A generator of the study so far, after every pass of a batch; the last has everything. Closing it stops the
        work and leaves the model as it was. A break changes nothing, the size of the batches nothing beyond rounding.

    Raises:
        UserError: For importances of another shape or with gaps, no examples, labels that the model does not have, a
            correlation with gold labels that are all the same, options out of range, or more masks and examples than
            fit the memory.
    """
    shape = count_heads(checkpoint.model.config)
    _check_importances(importances, shape)
    _check_options(directions, n_seeds, seed)
    metric = choose_metric(checkpoint, metric)
    gold = read_gold(checkpoint, examples)
    if metric != "accuracy" and (gold == gold[0]).all():
        wanted = "values" if metric == "pearson" else "classes, or choose the metric 'accuracy'"
        raise UserError(
            f"The labels of {examples.file_name!r} are all the same, so that nothing correlates with them ({metric}): "
            f"give data with several {wanted}."
        )
    counts = np.arange(shape[0] * shape[1] + 1) if every_head else count_pruned(rates, shape)
    plan = make_plan(importances, counts=counts, directions=directions, n_seeds=n_seeds, seed=seed, layerwise=layerwise)
    if not plan.curves:
        raise UserError("There is nothing to measure: give an importance, or random orders.")
    _check_size(len(plan.masks), len(examples))
    facts = {
        "importances": dict(importances),
        "metric_name": metric,
        "model": checkpoint.name,
        "revision": checkpoint.revision,
        "data": examples.file_name,
        "data_sha256": examples.sha256,
        "n_seeds": n_seeds,
        "versions": {"python": platform.python_version()} | {name: version(name) for name in ("torch", "transformers")},
    }
    return _measure(checkpoint, examples, gold, plan, facts, state, workers or LocalWorkers(checkpoint))


def _measure(
    checkpoint: Checkpoint,
    examples: ExampleSet,
    gold: np.ndarray,
    plan: Plan,
    facts: dict,
    state: str | Path | None,
    workers: Workers,
) -> Iterator[StudySoFar]:
    encoded = list(encode_all(checkpoint, ((one.text, one.text_pair) for one in examples.examples)))
    is_cut = np.array([example.n_cut > 0 for example in encoded])
    n_masks = len(plan.masks)
    kept = Predictions(np.full((n_masks, len(encoded)), np.nan, np.float32), find_product())
    fingerprint = find_fingerprint(checkpoint, encoded, gold, plan.masks, workers.device_type) if state else ""
    if state is not None:
        kept = load_predictions(state, fingerprint, kept)
    predicted = kept.values
    is_done = ~np.isnan(predicted).any(axis=0)
    n_done = int(is_done.sum())
    pace = Pace()

    def summarise_done() -> HeadStudy:
        found = summarise(plan, predicted[:, is_done], gold[is_done], facts["metric_name"]) if n_done else None
        counts = {"n_examples": n_done, "n_cut": int(is_cut[is_done].sum())}
        return HeadStudy(**facts, **vars(found or Summary()), **counts)

    study = summarise_done()
    yield StudySoFar(study, n_done * n_masks, predicted.size)
    waiting = [bucket for bucket in list_buckets(checkpoint, encoded) if not is_done[bucket].all()]
    shards = (([encoded[index] for index in bucket],) for bucket in waiting)
    run = workers.start(partial(prepare_predicting, masks=plan.masks), onednn=kept.onednn)
    with ExitStack() as stack:
        stack.callback(pace.flush)
        for number, share, values in stack.enter_context(closing(run(shards))):
            bucket = waiting[number]
            if values is None:
                yield StudySoFar(study, n_done * n_masks + round(share * n_masks) * len(bucket), predicted.size)
                continue
            n_done += int((~is_done[bucket]).sum())
            predicted[:, bucket], is_done[bucket] = values, True
            if state is not None:
                pace.ask(partial(save_predictions, state, fingerprint, kept))
            if n_done == len(encoded) or n_done >= study.n_examples * _GROWTH:
                study = summarise_done()
            yield StudySoFar(study, n_done * n_masks, predicted.size)


def find_seen(examples: ExampleSet, importances: Iterable[HeadImportance]) -> list[int]:
    """Finds which examples importances were measured on, or others of the same texts, by index.

    Args:
        examples: The data set.
        importances: Of those of other data, or of data that they do not name, nothing is known.
    """
    seen: set[str] = set()
    for importance in importances:
        if importance.data_sha256 == examples.sha256 and importance.n_examples:
            chosen = pick_examples(examples, importance.n_examples, seed=importance.seed)
            seen.update(map(digest_example, chosen.examples))
    if not seen:
        return []
    return [index for index, example in enumerate(examples.examples) if digest_example(example) in seen]


def leave_out_seen(examples: ExampleSet, importances: Iterable[HeadImportance]) -> ExampleSet:
    """Leaves the examples out that importances were measured on, and others of the same texts.

    Args:
        examples: The data set.
        importances: Those of other data leave nothing out.

    Returns:
        The rest; its name says so.

    Raises:
        UserError: When an importance does not say what it was measured on, or nothing is left.
    """
    importances = tuple(importances)
    for importance in importances:
        if not importance.data_sha256 and importance.method != RANDOM:
            raise UserError(
                f"The importance by {importance.method[:80]!r} does not say on what examples it was measured, so they "
                "cannot be left out."
            )
    seen = set(find_seen(examples, importances))
    kept = [index for index in range(len(examples)) if index not in seen]
    if not kept:
        raise UserError(f"The importances were measured on all examples of {examples.file_name!r}: give other data.")
    kinds = tuple(examples.kinds[index] for index in kept) if examples.kinds else ()
    picked = tuple(examples.examples[index] for index in kept)
    return replace(examples, examples=picked, kinds=kinds, file_name=f"{examples.file_name} (unseen)")


def _check_importances(importances: Mapping[str, HeadImportance], shape: tuple[int, int]) -> None:
    if not importances:
        raise UserError("There is no importance to prune by: give at least one.")
    for name, importance in importances.items():
        values = np.asarray(importance.values)
        if values.shape != shape:
            raise UserError(
                f"The importance {name[:80]!r} is of shape {values.shape}, but the model has {shape[0]} layers of "
                f"{shape[1]} heads: give one that was measured on this model."
            )
        if not np.isfinite(values).all():
            raise UserError(f"The importance {name[:80]!r} has entries that are not numbers: measure it again.")


def _check_size(n_masks: int, n_examples: int) -> None:
    """Refuses a study whose predictions, and metrics on resamples, would fill the memory."""
    n_bytes = n_masks * (4 * n_examples + 8 * N_RESAMPLES)
    if n_bytes > _MAX_BYTES:
        raise UserError(
            f"{n_masks:,} different masks on {n_examples:,} examples take {n_bytes / 1e9:.1f} GB of memory, more than "
            f"{_MAX_BYTES / 1e9:.1f} GB: choose fewer random orders, points or examples."
        )


def _check_options(directions: Sequence[str], n_seeds: int, seed: int) -> None:
    if not directions or not set(directions) <= set(DIRECTIONS):
        raise UserError(f"The directions are {str(list(directions))[:80]}: choose among {', '.join(DIRECTIONS)}.")
    if not 0 <= n_seeds <= MAX_SEEDS:
        raise UserError(f"The number of random orders is {n_seeds}: choose one from 0 to {MAX_SEEDS}.")
    if seed < 0:
        raise UserError(f"The seed of the random orders is {seed}: choose 0 or more.")
