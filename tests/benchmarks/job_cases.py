"""The jobs that `tests.benchmarks.jobs` times, and the same by loops over single examples.

A contestant is a function without arguments that gives what job and loop have in common, as an array.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from attattr_core import Attribution, Checkpoint, Settings, attribute, build_tree
from attattr_core.datasets import ExampleSet
from attattr_core.engine.encoding import Encoded, collate, encode
from attattr_core.engine.outputs import compute_output, find_output_kind
from attattr_core.engine.products import find_product, fixing_product
from attattr_core.engine.replay import instrumented, run_masked
from attattr_core.heads.importance import describe_importance, measure_importance
from attattr_core.heads.metrics import compute_metric
from attattr_core.heads.plan import RATES, Plan, count_pruned, make_plan
from attattr_core.heads.predictions import predict_pruned, read_gold
from attattr_core.heads.pruning import measure_curves
from attattr_core.heads.results import DIRECTIONS, HeadImportance
from attattr_core.trees.faithfulness import DATASET_COUNTS, list_orders, measure_dataset
from attattr_core.triggers.mining import PAPER_SETTINGS, mine_triggers
from tests.benchmarks import operations

_DELETION_SEEDS, _PRUNING_SEEDS = 3, 2  # random orders


@dataclass(frozen=True, eq=False)
class Case:
    """A job, the same by single examples, and what both need.

    Attributes:
        job: The job.
        loop: The same by single examples.
        operations: Floating-point operations of either.
        tolerance: By how much their results may differ.
    """

    job: Callable[[], np.ndarray]
    loop: Callable[[], np.ndarray]
    operations: int
    tolerance: float


@dataclass(frozen=True, eq=False)
class Sentences:
    """Labelled examples, encoded, and their attributions to 1 % one by one, of the predicted label."""

    checkpoint: Checkpoint
    examples: ExampleSet
    encoded: list[Encoded]
    attributions: list[Attribution]

    @property
    def lengths(self) -> list[int]:
        """T of each."""
        return [len(one.tokens) for one in self.encoded]

    def count_attributions(self, attributions: list[Attribution]) -> int:
        """Operations of attributions of these examples."""
        return sum(
            operations.count_attribution(self.checkpoint.model, n_tokens, one.n_nodes.tolist(), one.settings)
            for n_tokens, one in zip(self.lengths, attributions, strict=True)
        )


def prepare(checkpoint: Checkpoint, examples: ExampleSet) -> Sentences:
    """Encodes and attributes the examples."""
    encoded = [encode(checkpoint, one.text, one.text_pair) for one in examples.examples]
    return Sentences(checkpoint, examples, encoded, attribute_each(checkpoint, examples))


def attribute_each(
    checkpoint: Checkpoint, examples: ExampleSet, settings: Settings | None = None, *, gold: bool = False
) -> list[Attribution]:
    """The engine, one example after the other."""
    return [
        attribute(checkpoint, one.text, one.text_pair, target=one.label if gold else "predicted", settings=settings)
        for one in examples.examples
    ]


def build_importance(sentences: Sentences) -> Case:
    """Head importance by attribution: the importance, (L, H)."""
    checkpoint, examples = sentences.checkpoint, sentences.examples

    def run_job() -> np.ndarray:
        *_, last = measure_importance(checkpoint, examples, n_examples=None)
        return last.importance.values

    def run_loop() -> np.ndarray:
        return sum(one.head_maximum for one in attribute_each(checkpoint, examples, gold=True))

    counted = sentences.count_attributions(attribute_each(checkpoint, examples, gold=True))
    return Case(run_job, run_loop, counted, 1e-4 * len(examples))


def build_mining(sentences: Sentences) -> Case:
    """Trigger mining as in the paper: the largest entry of each example, sorted."""
    checkpoint, examples = sentences.checkpoint, sentences.examples

    def run_job() -> np.ndarray:
        *_, last = mine_triggers(checkpoint, examples, n_examples=len(examples))
        return np.sort([trigger.max_combined_attr[0] for trigger in last.triggers.triggers])

    def run_loop() -> np.ndarray:
        return np.sort([one.attribution.max() for one in attribute_each(checkpoint, examples, PAPER_SETTINGS)])

    n_nodes = [PAPER_SETTINGS.n_steps] * checkpoint.model.config.num_hidden_layers
    counted = sum(
        operations.count_attribution(checkpoint.model, n_tokens, n_nodes, PAPER_SETTINGS)
        for n_tokens in sentences.lengths
    )
    return Case(run_job, run_loop, counted, 1e-5)


def build_curves(sentences: Sentences) -> Case:
    """Deletion curves over a data set: the drop along each example's tree, (N, P)."""
    checkpoint = sentences.checkpoint
    texts = [(one.text, one.text_pair) for one in sentences.examples.examples]

    def run_job() -> np.ndarray:
        *_, last = measure_dataset(checkpoint, texts, n_seeds=_DELETION_SEEDS)
        return last.drops["tree"]

    def run_loop() -> np.ndarray:
        drops = []
        with fixing_product(find_product()):
            for index, (encoded, pair) in enumerate(zip(sentences.encoded, texts, strict=True)):
                drops.append(_delete_singly(checkpoint, encoded, attribute(checkpoint, *pair), _DELETION_SEEDS * index))
        return np.stack(drops)

    n_layers, n_passes = checkpoint.model.config.num_hidden_layers, (2 + _DELETION_SEEDS) * (len(DATASET_COUNTS) + 2)
    passes = [operations.count_pass(checkpoint.model, n_tokens, n_layers) for n_tokens in sentences.lengths]
    counted = sentences.count_attributions(sentences.attributions) + n_passes * sum(passes)
    return Case(run_job, run_loop, counted, 1e-4)


def _delete_singly(checkpoint: Checkpoint, encoded: Encoded, attribution: Attribution, seed: int) -> np.ndarray:
    """Runs every pass of an example's curves by itself; gives the drop along its tree, (P,)."""
    model, drops = checkpoint.model, []
    inputs, target = collate(checkpoint, [encoded]), torch.tensor([attribution.target])
    shape = (1, attribution.n_layers, 1, len(encoded.tokens), len(encoded.tokens))
    trees = [build_tree(attribution, n_edges=max(DATASET_COUNTS)), build_tree(attribution)]
    with instrumented(model):
        for tree, counts in zip(trees, (DATASET_COUNTS, (0, len(trees[1].edges))), strict=True):
            for order in list_orders(attribution, tree, n_seeds=_DELETION_SEEDS, seed=seed):
                for count in counts:
                    mask = torch.ones(shape)
                    mask.view(-1)[torch.from_numpy(order[: min(count, len(tree.edges))])] = 0
                    logits = run_masked(model, inputs, mask)
                    output = compute_output(logits, target, "probability", find_output_kind(model.config))
                    drops.append(attribution.output - float(output))
    return np.array(drops[: len(DATASET_COUNTS)])


def build_pruning(sentences: Sentences) -> Case:
    """Pruning curves of one importance: the accuracy at each point of each curve."""
    checkpoint, examples = sentences.checkpoint, sentences.examples
    values = np.mean([one.head_maximum for one in sentences.attributions], axis=0)
    importances = {"attattr": _describe(checkpoint, examples, values)}
    counts = count_pruned(RATES, values.shape)
    options = {"directions": DIRECTIONS, "n_seeds": _PRUNING_SEEDS, "seed": 0, "layerwise": False}
    plan, gold = make_plan(importances, counts=counts, **options), read_gold(checkpoint, examples)

    def run_job() -> np.ndarray:
        *_, last = measure_curves(checkpoint, examples, importances, **options)
        return np.concatenate([curve.metric for curve in last.study.curves])

    def run_loop() -> np.ndarray:
        with fixing_product(find_product()):
            singly = [np.stack(list(predict_pruned(checkpoint, [one], plan.masks))) for one in sentences.encoded]
        return _read_curves(plan, np.concatenate(singly, axis=1), gold)

    counted = sum(operations.count_pruned(checkpoint.model, n_tokens, plan.masks) for n_tokens in sentences.lengths)
    return Case(run_job, run_loop, counted, 1.01 / len(examples))  # an answer may hang on rounding


def _describe(checkpoint: Checkpoint, examples: ExampleSet, values: np.ndarray) -> HeadImportance:
    return replace(describe_importance(checkpoint, examples), values=values)


def _read_curves(plan: Plan, predicted: np.ndarray, gold: np.ndarray) -> np.ndarray:
    metric = compute_metric("accuracy", predicted, gold)
    return np.concatenate([metric[curve.masks].mean(axis=0) for curve in plan.curves])


CASES = {
    "importance": build_importance,
    "mining": build_mining,
    "curves": build_curves,
    "pruning": build_pruning,
}
