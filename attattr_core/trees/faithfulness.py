"""Proof that a tree matters: remove (or add) its edges one after the other and watch F.

An edge is one entry (layer, receiver, sender) of the attention between two different tokens; to remove it is to set
its probabilities to zero in all heads of its layer, without renormalising. What a token keeps of itself (the diagonal)
always stays. The same number of edges is removed in the order of raw attention and in random orders.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial

import numpy as np
import torch
from torch import Tensor

from attattr_core.attribution import Attribution
from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.cluster.workers import LocalWorkers, Work, Workers
from attattr_core.engine.attributing import Text, attribute_batch
from attattr_core.engine.chunks import Chunks
from attattr_core.engine.encoding import Encoded, collate, encode
from attattr_core.engine.outputs import compute_output, find_output_kind
from attattr_core.engine.products import find_product
from attattr_core.engine.replay import instrumented, run_masked
from attattr_core.errors import UserError
from attattr_core.settings import Settings
from attattr_core.trees.curves import (
    DatasetFaithfulness,
    ExampleFaithfulness,
    FaithfulnessCurves,
    GrowingFaithfulness,
    find_receptive_field,
)
from attattr_core.trees.tree import AttributionTree, build_tree

KINDS = ("deletion", "insertion")
DEFAULT_POINTS, DEFAULT_SEEDS = 20, 10
DATASET_COUNTS = (0, 1, 2, 4, 8, 12, 16, 24, 32)
_MASK_ENTRIES = 1 << 26  # of a batch of masks: a quarter of a gigabyte in float32
_CPU_TOKENS = 2048  # of a batch: larger ones gain nothing on a processor


def measure_faithfulness(
    checkpoint: Checkpoint,
    attribution: Attribution,
    tree: AttributionTree,
    *,
    counts: Sequence[int] | None = None,
    n_points: int = DEFAULT_POINTS,
    n_seeds: int = DEFAULT_SEEDS,
    seed: int = 0,
    kinds: Sequence[str] = KINDS,
) -> FaithfulnessCurves:
    """Measures deletion and insertion curves of one example.

    Args:
        checkpoint: The classifier that the attribution belongs to.
        attribution: The result; its texts are run again.
        tree: Its tree; the edges go in the order of their attribution.
        counts: Numbers of edges; by default ``n_points`` whole numbers from 0 to the size of the tree.
        n_points: Points of each curve.
        n_seeds: Random orders.
        seed: Where they begin.
        kinds: Which of ``"deletion"`` and ``"insertion"``; the curves of the other are empty.

    Returns:
        The curves; all runs go through the model in batches.

    Raises:
        UserError: When the attribution does not hold its text, or the checkpoint is another one.
    """
    encoded = _encode_again(checkpoint, attribution)
    orders = list_orders(attribution, tree, n_seeds=n_seeds, seed=seed)
    if counts is None:
        counts = np.unique(np.rint(np.linspace(0, len(orders[0]), n_points)).astype(int)).tolist()
    _check_counts(counts)
    removals = [order[:count] for order in orders for count in counts]
    measured: dict[str, dict[str, np.ndarray]] = {kind: {} for kind in KINDS}
    for kind in kinds:
        values = np.concatenate(list(_run(checkpoint, encoded, removals, attribution, keep=kind == "deletion")))
        measured[kind] = _name_orders(values.reshape(len(orders), len(counts)))
    return FaithfulnessCurves(
        counts=np.asarray(counts),
        **measured,
        function=attribution.unit,
        label=attribution.labels[attribution.target],
    )


def list_orders(attribution: Attribution, tree: AttributionTree, *, n_seeds: int, seed: int = 0) -> list[np.ndarray]:
    """Lists the orders in which edges go: the tree's, that of raw attention, and random ones.

    The two last draw from all entries between different tokens where there is attention.

    Returns:
        Flat indices into (L, T, T), for each order.
    """
    mean = attribution.attention.mean(axis=1)  # (L, T, T)
    candidates = np.flatnonzero((mean > 0) & ~np.eye(mean.shape[1], dtype=bool))
    by_attention = candidates[np.argsort(-mean.flat[candidates], kind="stable")]
    groups = sorted(zip(tree.edges, tree.list_token_edges(), strict=True), key=lambda pair: -pair[0].attribution)
    entries = [entry for _, group in groups for entry in group]
    by_tree = np.ravel_multi_index(np.array(entries, int).reshape(-1, 3).T, mean.shape)
    generators = [np.random.default_rng(seed + index) for index in range(n_seeds)]
    return [by_tree, by_attention, *(generator.permutation(candidates) for generator in generators)]


def _check_counts(counts: Sequence[int]) -> None:
    if not len(counts) or min(counts) < 0:
        raise UserError(f"The numbers of edges are {list(counts)[:9]}: give at least one, none below 0.")


def _name_orders(values: np.ndarray) -> dict[str, np.ndarray]:
    return {"tree": values[0], "attention": values[1], "random": values[2:]}


def _build_masks(entries: Sequence[np.ndarray], size: tuple[int, int], device: torch.device, *, keep: bool) -> Tensor:
    """One mask for each list of entries, (B, L, 1, T, T).

    All but the entries where the rest is kept (deletion), or the entries and the diagonal alone (insertion).
    """
    n_layers, n_tokens = size
    start = torch.ones(n_tokens, n_tokens) if keep else torch.eye(n_tokens)
    masks = start.to(device).repeat(len(entries), n_layers, 1, 1)
    rows = np.repeat(np.arange(len(entries)), [len(part) for part in entries])
    columns = np.concatenate(entries)
    masks.flatten(1)[torch.from_numpy(rows).to(device), torch.from_numpy(columns).to(device)] = float(not keep)
    return masks[:, :, None]


def _run(
    checkpoint: Checkpoint, encoded: Encoded, entries: Sequence[np.ndarray], attribution: Attribution, *, keep: bool
) -> Iterator[np.ndarray]:
    """F of one example without each list of entries (or with it alone), batch by batch."""
    model, size = checkpoint.model, (attribution.n_layers, len(encoded.tokens))
    kind, function = find_output_kind(model.config), attribution.settings.function
    n_rows = max(1, _MASK_ENTRIES // (size[0] * size[1] ** 2))
    if checkpoint.device.type == "cpu":
        n_rows = max(1, min(n_rows, _CPU_TOKENS // size[1]))
    with instrumented(model):
        single = collate(checkpoint, [encoded])

        def run(rows: Tensor) -> np.ndarray:
            inputs = {name: tensor.expand(len(rows), -1) for name, tensor in single.items()}
            batch = [entries[row] for row in rows.tolist()]
            masks = _build_masks(batch, size, checkpoint.device, keep=keep).to(model.dtype)
            logits = run_masked(model, inputs, masks)
            targets = torch.full((len(rows),), attribution.target, device=logits.device)
            return compute_output(logits, targets, function, kind).double().cpu().numpy()

        for _, outputs in Chunks(model).run(torch.arange(len(entries)), n_rows, size[1], run):
            yield outputs


def _encode_again(checkpoint: Checkpoint, attribution: Attribution) -> Encoded:
    if not attribution.texts:
        raise UserError("This result does not hold its text, so no edges can be removed: attribute the text again.")
    if checkpoint.revision != attribution.revision:
        raise UserError(
            f"The result belongs to revision {attribution.revision!r} of {attribution.model[:80]!r}, not to "
            f"{checkpoint.revision!r}: load that one, or attribute the text again."
        )
    encoded = encode(checkpoint, *attribution.texts)
    if encoded.tokens != attribution.tokens:
        raise UserError("The text of this result gives other tokens now: attribute it again.")
    return encoded


# ------------------------------------------------------------------------------------------------- a data set


def measure_dataset(
    checkpoint: Checkpoint,
    examples: Sequence[Text],
    *,
    mode: str = "flow",
    counts: Sequence[int] = DATASET_COUNTS,
    n_seeds: int = 3,
    seed: int = 0,
    settings: Settings | None = None,
    workers: Workers | None = None,
) -> Iterator[DatasetFaithfulness]:
    """Measures deletion curves of the predicted label over many examples.

    Args:
        checkpoint: The classifier.
        examples: Texts, or (text, text_pair).
        mode: How trees are built (see `attattr_core.trees.tree.build_tree`).
        counts: Numbers of edges removed.
        n_seeds: Random orders for each example.
        seed: Where they begin.
        settings: The convention of the attributions.
        workers: Who does the work; None for this process.

    Yields:
        What is measured so far, after each example, in the order in which they ended, at last in their own; closing the
        generator stops the work.
    """
    workers = workers or LocalWorkers(checkpoint)
    prepare = partial(_prepare, settings=settings, mode=mode, counts=counts, n_seeds=n_seeds)
    run = workers.start(prepare, onednn=find_product())
    growing = GrowingFaithfulness(counts, len(examples))
    with closing(run((example, seed + index * n_seeds) for index, example in enumerate(examples))) as steps:
        for number, _, measured in steps:
            yield growing.add(number, measured)


def _prepare(checkpoint: Checkpoint, settings: Settings | None, mode: str, counts: Sequence[int], n_seeds: int) -> Work:
    def work(example: Text, seed: int) -> Iterator[tuple[float, ExampleFaithfulness]]:
        (attribution,) = attribute_batch(checkpoint, [example], settings=settings)
        yield 1.0, _measure_example(checkpoint, attribution, mode, counts, n_seeds, seed)

    return work


def _measure_example(
    checkpoint: Checkpoint, attribution: Attribution, mode: str, counts: Sequence[int], n_seeds: int, seed: int
) -> ExampleFaithfulness:
    drops = []
    trees = [build_tree(attribution, mode=mode, n_edges=max(counts)), build_tree(attribution, mode=mode)]
    for tree, wanted in zip(trees, (counts, [0, len(trees[1].edges)]), strict=True):
        possible = [min(count, len(tree.edges)) for count in wanted]
        curves = measure_faithfulness(
            checkpoint, attribution, tree, counts=possible, n_seeds=n_seeds, seed=seed, kinds=("deletion",)
        )
        curve = {**curves.deletion, "random": curves.deletion["random"].mean(axis=0)}
        drops.append({name: attribution.output - values for name, values in curve.items()})
    whole = {name: float(values[-1]) for name, values in drops[1].items()}
    return ExampleFaithfulness(drops[0], whole, find_receptive_field(attribution), len(trees[1].edges))
