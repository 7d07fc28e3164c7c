"""Evaluate triggers: each is inserted into every example of another data set, beside its controls.

Plain forward passes, batched by length; no attribution. First every trigger runs once, then the controls of the three
best for each class, then all other controls, so that what matters is there first.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy as np
import torch

from attattr_core.batches import bucket_examples, check_logits, record_batch
from attattr_core.checkpoints import Checkpoint
from attattr_core.datasets import ExampleSet
from attattr_core.encoding import Encoded, collate, encode
from attattr_core.errors import UserError
from attattr_core.outputs import compute_probabilities, find_output_kind
from attattr_core.replay import instrumented, run_pruned
from attattr_core.triggers.controls import DEFAULT_SEEDS, KINDS, draw_random, draw_shuffled
from attattr_core.triggers.insertion import (
    DEFAULT_THRESHOLD,
    Pieces,
    Triggered,
    insert_into_example,
    resolve_insertions,
)
from attattr_core.triggers.label_order import rename_classes
from attattr_core.triggers.mining import check_classes
from attattr_core.triggers.overlap import drop_mined
from attattr_core.triggers.patterns import SPECIAL_TOKENS, choose_insertions, choose_words
from attattr_core.triggers.pieces import find_ids, list_whole_pieces
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
from attattr_core.triggers.tallies import N_BEST, Tally, measure_accuracy, measure_success, pick_best
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
) -> Iterator[EvaluationSoFar]:
    """Measures what mined triggers do to a data set.

    Args:
        checkpoint: The classifier attacked.
        examples: Another data set than the one mined.
        triggers: From `attattr_core.triggers.mining.mine_triggers` or a file.
        use_all: Insert the tokens of both pairs even where the second entry is weak.
        as_words: Insert the whole words that the tokens belong to, cut into pieces anew.
        threshold: Least strength of the patterns that are used.
        n_triggers: The strongest how many are used; None for all.
        drop_overlap: Leave examples out that were mined, in place of refusing.
        n_seeds: Controls of each kind beside each trigger; 0 for none.
        only_best: Measure controls only of the three best triggers of each class.
        seed: Where they begin.
        n_flips: Flipped examples kept for each trigger; the count is of all.

    Yields:
        The study so far; closing the generator stops the work.

    Raises:
        UserError: When examples were mined, no trigger is strong enough, or one leaves no room for a text.
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
    )


def select_triggers(triggers: TriggerSet, *, threshold: float, n_triggers: int | None = None) -> list[Trigger]:
    """Selects the triggers that are used, in their order.

    Raises:
        UserError: When none is strong enough.
    """
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
    resolved = [resolve_insertions(checkpoint, insertions, as_words=as_words) for _, insertions in items]
    run = _Evaluation(checkpoint, examples, n_flips)
    if n_seeds < 0 or seed < 0:
        raise UserError(f"There are {n_seeds} controls from seed {seed}: choose 0 or more of both.")
    return _evaluate(run, items, resolved, n_seeds, seed, source_model, only_best=only_best)


def find_special_tokens(checkpoint: Checkpoint) -> frozenset[str]:
    """Finds the names of a tokenizer's special tokens, but for the unknown and mask tokens, which stand for words."""
    tokenizer = checkpoint.tokenizer
    return frozenset(tokenizer.all_special_tokens) - {tokenizer.unk_token, tokenizer.mask_token}


class _Evaluation:
    """The clean examples, and passes over them with something inserted."""

    def __init__(self, checkpoint: Checkpoint, examples: ExampleSet, n_flips: int) -> None:
        self.checkpoint, self.examples, self.n_flips = checkpoint, examples, n_flips
        self.encoded = [encode(checkpoint, one.text, one.text_pair) for one in examples.examples]
        self.gold = np.array([one.label for one in examples.examples])
        self.clean: np.ndarray | None = None
        pieces = list_whole_pieces(checkpoint.tokenizer)
        n_embeddings = checkpoint.model.get_input_embeddings().weight.shape[0]
        numbered = [(piece, number) for piece in pieces for number in find_ids(checkpoint.tokenizer, piece)]
        self.whole = [(piece, number) for piece, number in numbered if number < n_embeddings]

    def run(self, pieces: Sequence[Pieces]) -> tuple[np.ndarray, list[Triggered]]:
        """Probabilities, (N, C), with something inserted into every example, and what the examples are then."""
        texts = [(one.text, one.text_pair) for one in self.examples.examples]
        triggered = [
            insert_into_example(self.checkpoint, *text, pieces, encoded=encoded)
            for text, encoded in zip(texts, self.encoded, strict=True)
        ]
        return predict(self.checkpoint, [one.encoded for one in triggered]), triggered

    def tally(self, probabilities: np.ndarray) -> Tally:
        return Tally(self.gold, self.clean, probabilities)

    def find_flips(self, tally: Tally, triggered: Sequence[Triggered]) -> tuple[Flip, ...]:
        """The flipped examples whose gold class lost most."""
        changes = tally.changes
        flipped = np.flatnonzero(tally.flipped)
        order = flipped[np.argsort(changes[flipped], kind="stable")][: self.n_flips].tolist()
        return tuple(
            Flip(
                index=index,
                tokens=triggered[index].encoded.tokens,
                inserted=triggered[index].inserted,
                before=int(self.clean[index].argmax()),
                after=int(tally.after[index].argmax()),
                probability_before=float(self.clean[index, self.gold[index]]),
                probability_after=float(tally.after[index, self.gold[index]]),
            )
            for index in order
        )


def predict(checkpoint: Checkpoint, encoded: Sequence[Encoded]) -> np.ndarray:
    """Runs examples through a classifier in batches of similar length.

    Returns:
        The probability of each label, float64 (N, C).
    """
    model, kind = checkpoint.model, find_output_kind(checkpoint.model.config)
    probabilities = np.empty((len(encoded), len(checkpoint.labels)))
    with instrumented(model):
        shape = _find_shape(checkpoint, encoded[0])
        for bucket in bucket_examples(checkpoint, encoded):
            inputs = collate(checkpoint, [encoded[index] for index in bucket])
            logits = run_pruned(model, inputs, torch.ones(shape)).logits  # without a head less: the fastest plain pass
            check_logits(checkpoint, logits)
            probabilities[bucket] = compute_probabilities(logits, kind).double().cpu().numpy()
    return probabilities


def _find_shape(checkpoint: Checkpoint, encoded: Encoded) -> tuple[int, int]:
    """Numbers of layers and heads; the model is instrumented."""
    layers = record_batch(checkpoint, [encoded]).layers
    return len(layers), layers[0].attention.shape[1]


def _evaluate(
    run: _Evaluation,
    items: Sequence[tuple[Trigger | None, tuple[Insertion, ...]]],
    resolved: Sequence[tuple[Pieces, ...]],
    n_seeds: int,
    seed: int,
    source_model: str,
    *,
    only_best: bool,
) -> Iterator[EvaluationSoFar]:
    n_labels = len(run.checkpoint.labels)
    n_controlled = min(len(items), n_labels * N_BEST) if only_best else len(items)  # the best, at most
    n_total = 1 + len(items) + n_controlled * n_seeds * len(KINDS)
    run.clean, _ = run.run(())
    results: list[TriggerResult] = []
    n_done = 1
    yield EvaluationSoFar(_summarise(run, results, source_model), n_done, n_total)
    for (trigger, insertions), pieces in zip(items, resolved, strict=True):
        results.append(_measure(run, trigger, insertions, pieces))
        n_done += 1
        yield EvaluationSoFar(_summarise(run, results, source_model), n_done, n_total)
    order = _order_controls(results, only_best=only_best)
    n_total = n_done + len(order) * n_seeds * len(KINDS)
    for index in order:
        controls: tuple[Control, ...] = ()
        for kind in KINDS if n_seeds else ():
            measured = []
            for number in range(n_seeds):
                generator = np.random.default_rng([seed, index, KINDS.index(kind), number])
                measured.append(_measure_control(run, kind, resolved[index], generator))
                n_done += 1
                if number + 1 < n_seeds:
                    yield EvaluationSoFar(_summarise(run, results, source_model), n_done, n_total)
            controls = (*controls, _join_controls(kind, measured))
            results[index] = replace(results[index], controls=controls)
            yield EvaluationSoFar(_summarise(run, results, source_model), n_done, n_total)


def _order_controls(results: Sequence[TriggerResult], *, only_best: bool) -> list[int]:
    """The best triggers of every class first, then all others."""
    best = pick_best([result.after.accuracy for result in results])
    ranked = [index for row in zip_longest(*best) for index in row if index is not None]
    return list(dict.fromkeys([*ranked, *([] if only_best else range(len(results)))]))


def _measure(
    run: _Evaluation, trigger: Trigger | None, insertions: tuple[Insertion, ...], pieces: Sequence[Pieces]
) -> TriggerResult:
    probabilities, triggered = run.run(pieces)
    tally = run.tally(probabilities)
    n_labels = len(run.checkpoint.labels)
    return TriggerResult(
        trigger=trigger,
        insertions=insertions,
        after=measure_accuracy(run.gold, tally.right_after, n_labels),
        success=measure_success(tally, n_labels),
        change=tally.average_changes(n_labels),
        controls=(),
        flips=run.find_flips(tally, triggered),
        n_flips=np.bincount(run.gold[tally.flipped], minlength=n_labels),
    )


def _measure_control(
    run: _Evaluation, kind: str, pieces: Sequence[Pieces], generator: np.random.Generator
) -> tuple[tuple[Insertion, ...], np.ndarray, np.ndarray]:
    """What was inserted, and accuracy and success on each gold class."""
    drawn = draw_random(pieces, run.whole, generator) if kind == "random" else draw_shuffled(pieces, generator)
    tally = run.tally(run.run(drawn)[0])
    n_labels = len(run.checkpoint.labels)
    insertions = tuple(Insertion(" ".join(piece.tokens), piece.sentence, piece.place) for piece in drawn)
    accuracy = measure_accuracy(run.gold, tally.right_after, n_labels).accuracy
    return insertions, accuracy, measure_success(tally, n_labels).accuracy


def _join_controls(kind: str, measured: Sequence[tuple[tuple[Insertion, ...], np.ndarray, np.ndarray]]) -> Control:
    insertions, accuracies, successes = zip(*measured, strict=True)
    return Control(kind, insertions, np.stack(accuracies), np.stack(successes))


def _summarise(run: _Evaluation, results: Sequence[TriggerResult], source_model: str) -> TriggerStudy:
    checkpoint, examples = run.checkpoint, run.examples
    n_labels = len(checkpoint.labels)
    before: ClassAccuracy = measure_accuracy(run.gold, run.clean.argmax(1) == run.gold, n_labels)
    return TriggerStudy(
        results=tuple(results),
        before=before,
        n_by_class=np.bincount(run.gold, minlength=n_labels),
        best=pick_best([result.after.accuracy for result in results], below=before.accuracy),
        labels=checkpoint.labels,
        model=checkpoint.name,
        revision=checkpoint.revision,
        source_model=source_model or checkpoint.name,
        data=examples.file_name,
        data_sha256=examples.sha256,
        n_examples=len(examples),
        versions=list_versions(),
    )
