"""What a classifier predicts without some of its heads, and what the right predictions are."""

from collections.abc import Generator, Sequence
from contextlib import closing

import numpy as np
import torch
from torch import Tensor

from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.cluster.workers import Work
from attattr_core.datasets import ExampleSet
from attattr_core.engine.batches import bucket_examples, check_logits
from attattr_core.engine.encoding import Encoded, collate
from attattr_core.engine.outputs import find_output_kind
from attattr_core.engine.replay import instrumented, run_pruned
from attattr_core.errors import UserError
from attattr_core.heads.golds import find_golds
from attattr_core.heads.results import METRICS


def list_buckets(checkpoint: Checkpoint, encoded: list[Encoded]) -> list[list[int]]:
    """Lists which examples run together, short and long ones in turn: the first curves are no sample of short ones."""
    buckets = list(bucket_examples(checkpoint, encoded))
    return [buckets[index] for index in np.random.default_rng(0).permutation(len(buckets))]


def predict_pruned(checkpoint: Checkpoint, encoded: Sequence[Encoded], masks: np.ndarray) -> Generator[np.ndarray]:
    """Predicts a batch without some heads.

    Args:
        checkpoint: The classifier.
        encoded: B examples that may run together.
        masks: True keeps a head, (M, L, H); all different. Each shares the lowest layers of the one before.

    Yields:
        For each mask the predicted classes, or the values of a regression, (B,).
    """
    model, kind = checkpoint.model, find_output_kind(checkpoint.model.config)
    inputs = collate(checkpoint, encoded)
    outputs: list = []
    with instrumented(model):
        for index, mask in enumerate(masks):
            n_shared = int((mask != masks[index - 1]).any(axis=1).argmax()) if index else 0
            done = run_pruned(model, inputs, torch.from_numpy(mask), below=outputs[:n_shared])
            check_logits(checkpoint, done.logits)
            outputs = done.outputs
            yield find_values(done.logits, kind).cpu().numpy()


def prepare_predicting(checkpoint: Checkpoint, masks: np.ndarray) -> Work:
    """Prepares `predict_pruned` of any batch: its predictions, (M, B), and before them the share of masks that ran."""

    def work(encoded: Sequence[Encoded]) -> Generator[tuple[float, np.ndarray | None]]:
        predicted = []
        with closing(predict_pruned(checkpoint, encoded, masks)) as steps:
            for values in steps:
                predicted.append(values)
                if len(predicted) < len(masks):
                    yield len(predicted) / len(masks), None
        yield 1.0, np.stack(predicted)

    return work


def find_values(logits: Tensor, kind: str) -> Tensor:
    """The predicted class of each example, or its value."""
    if kind == "regression":
        return logits[:, 0].float()
    return (logits[:, 0] > 0).float() if kind == "sigmoid" else logits.argmax(-1).float()


def choose_metric(checkpoint: Checkpoint, metric: str | None) -> str:
    """Chooses the metric that a checkpoint's task wants, or checks the one given.

    Raises:
        UserError: For an unknown metric, or one that does not fit what the model predicts.
    """
    config = checkpoint.model.config
    is_regression = find_output_kind(config) == "regression"
    if metric is None:
        is_cola = str(getattr(config, "finetuning_task", "")).lower() == "cola"
        return "pearson" if is_regression else "matthews" if is_cola else "accuracy"
    if metric not in METRICS:
        raise UserError(f"Unknown metric {str(metric)[:80]!r}: choose one of {', '.join(METRICS)}.")
    if is_regression != (metric == "pearson"):
        classes = "classes: choose 'accuracy' or 'matthews'"
        wanted = "values, which only 'pearson' measures" if is_regression else classes
        raise UserError(f"The metric is {metric!r}, but the model {checkpoint.name[:80]!r} predicts {wanted}.")
    return metric


def read_gold(checkpoint: Checkpoint, examples: ExampleSet) -> np.ndarray:
    """Reads the right classes, as the model counts them, or values of the examples, (N,).

    Raises:
        UserError: When there are none, or they are not of the model's classes.
    """
    if not len(examples):
        raise UserError(f"{examples.file_name!r} has no examples: give a file with some.")
    golds = find_golds(checkpoint, examples, range(len(examples)))
    right = {"regression": golds.values, "sigmoid": golds.signs > 0}.get(golds.kind, golds.targets)
    return right.cpu().numpy().astype(float)
