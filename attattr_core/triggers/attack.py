"""A data set that tokens are inserted into: plain forward passes, batched by length, without attribution."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch

from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.datasets import Example
from attattr_core.engine.batches import bucket_examples, check_logits, record_batch
from attattr_core.engine.encoding import Encoded, collate, encode_all
from attattr_core.engine.outputs import compute_probabilities, find_output_kind
from attattr_core.engine.replay import instrumented, run_pruned
from attattr_core.engine.stopping import ask
from attattr_core.errors import UserError
from attattr_core.triggers.halves import find_confirming
from attattr_core.triggers.insertion import Pieces, Triggered, insert_into_example
from attattr_core.triggers.tallies import Tally


class Attack:
    """Examples as they are, and passes over them with something inserted.

    Attributes:
        gold: Gold class of each example, (N,).
        confirming: Which examples are the confirming half (see `attattr_core.triggers.halves`), bool (N,).
        clean: Probabilities without anything inserted, (N, C), once `run_clean` was called.
    """

    def __init__(self, checkpoint: Checkpoint, examples: Sequence[Example]) -> None:
        """Takes examples whose labels are the checkpoint's."""
        self.checkpoint, self.examples = checkpoint, examples
        self.gold = np.array([one.label for one in examples])
        self.confirming = find_confirming(self.gold, len(checkpoint.labels))
        self.clean = np.empty((0, len(checkpoint.labels)))

    @cached_property
    def encoded(self) -> list[Encoded]:
        """The examples, encoded."""
        return list(encode_all(self.checkpoint, ((one.text, one.text_pair) for one in self.examples)))

    @property
    def has_pairs(self) -> bool:
        """Whether there are pairs among the examples."""
        return any(one.text_pair for one in self.examples)

    def run_clean(self) -> None:
        """Runs the examples as they are."""
        self.clean = predict(self.checkpoint, self.encoded)

    def run(self, pieces: Sequence[Pieces]) -> tuple[Tally, list[Triggered]]:
        """Inserts something into every example and runs them; gives both predictions, and what the examples are."""
        triggered = []
        for one, encoded in zip(self.examples, self.encoded, strict=True):
            ask()
            triggered.append(insert_into_example(self.checkpoint, one.text, one.text_pair, pieces, encoded=encoded))
        return Tally(self.gold, self.clean, predict(self.checkpoint, [one.encoded for one in triggered])), triggered


def check_classes(checkpoint: Checkpoint) -> None:
    """Raises UserError when a model does not tell two classes or more apart."""
    if len(checkpoint.labels) < 2 or find_output_kind(checkpoint.model.config) == "regression":
        raise UserError(
            f"{checkpoint.name!r} predicts a single value, and triggers move examples from one class to another: "
            "choose a classifier of two classes or more."
        )


def predict(checkpoint: Checkpoint, encoded: Sequence[Encoded]) -> np.ndarray:
    """Runs examples through a classifier in batches of similar length.

    Returns:
        The probability of each label, float64 (N, C).
    """
    model, kind = checkpoint.model, find_output_kind(checkpoint.model.config)
    probabilities = np.empty((len(encoded), len(checkpoint.labels)))
    with instrumented(model):
        every_head = torch.ones(_find_shape(checkpoint, encoded[0]))
        for bucket in bucket_examples(checkpoint, encoded):
            inputs = collate(checkpoint, [encoded[index] for index in bucket])
            logits = run_pruned(model, inputs, every_head).logits  # prunes nothing, and is the fastest plain pass
            check_logits(checkpoint, logits)
            probabilities[bucket] = compute_probabilities(logits, kind).double().cpu().numpy()
    return probabilities


def _find_shape(checkpoint: Checkpoint, encoded: Encoded) -> tuple[int, int]:
    """Numbers of layers and heads; the model is instrumented."""
    layers = record_batch(checkpoint, [encoded]).layers
    return len(layers), layers[0].attention.shape[1]
