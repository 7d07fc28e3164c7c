"""What the data say is right, in terms of a classifier's head: the gold label of each example and F of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from attattr_core.attribution import OutputKind
from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.datasets import Example, ExampleSet
from attattr_core.engine.outputs import compute_output, find_output_kind
from attattr_core.errors import UserError
from attattr_core.labels.order import map_labels
from attattr_core.labels.tasks import join_briefly


@dataclass(frozen=True)
class Golds:
    """The right answers to B examples.

    Attributes:
        kind: What the logits mean (see `attattr_core.engine.outputs`).
        targets: Index of the logit that counts, (B,).
        signs: 1, or −1 where a single logit speaks for the label and the gold answer is that the label is absent, (B,).
        values: The value that a regression should give, (B,); unused elsewhere.
    """

    kind: OutputKind
    targets: Tensor
    signs: Tensor
    values: Tensor

    def pick(self, indices: Sequence[int] | Tensor) -> "Golds":
        """Picks examples."""
        rows = torch.as_tensor(indices, device=self.targets.device)
        return Golds(self.kind, self.targets[rows], self.signs[rows], self.values[rows])

    def to(self, device: torch.device) -> "Golds":
        """Moves the answers to a device."""
        return Golds(self.kind, *(part.to(device) for part in (self.targets, self.signs, self.values)))

    def compute_losses(self, logits: Tensor) -> Tensor:
        """Computes the loss of each example, (B,): cross-entropy with the gold label, of a regression squared error.

        Of a single logit it is the binary cross-entropy, and where each label has a probability of its own that of the
        gold label's.
        """
        if self.kind == "regression":
            return (logits[:, 0] - self.values) ** 2
        if self.kind == "sigmoid":
            return -logsigmoid(self.signs * logits[:, 0])
        return -compute_output(logits, self.targets, "log-probability", self.kind)

    def compute_correct(self, logits: Tensor) -> Tensor:
        """Finds what is predicted rightly: 1 or 0 for each example, (B,); minus the squared error of a regression."""
        if self.kind == "regression":
            return -self.compute_losses(logits)
        if self.kind == "sigmoid":
            return ((logits[:, 0] > 0) == (self.signs > 0)).to(logits)
        return (logits.argmax(-1) == self.targets).to(logits)


def find_golds(checkpoint: Checkpoint, examples: ExampleSet, chosen: Sequence[int]) -> Golds:
    """Finds the gold answers of chosen examples; class names of the data are matched with those of the model.

    Raises:
        UserError: When the data's classes are not those of the model.
    """
    kind = find_output_kind(checkpoint.model.config)
    picked = [examples.examples[index] for index in chosen]
    targets, signs, values = [0] * len(picked), [1.0] * len(picked), [0.0] * len(picked)
    if kind == "regression":
        values = [float(_find_value(example)) for example in picked]
    elif kind == "sigmoid":
        signs = _find_signs(picked, examples.label_names)
    else:
        places = map_labels(examples.label_names, checkpoint.labels, by_index=True)
        targets = [places[example.label] for example in picked]
    dtype = checkpoint.model.dtype
    return Golds(
        kind,
        torch.tensor(targets, device=checkpoint.device),
        torch.tensor(signs, device=checkpoint.device, dtype=dtype),
        torch.tensor(values, device=checkpoint.device, dtype=dtype),
    )


def _find_value(example: Example) -> float:
    return example.label if example.value is None else example.value


def _find_signs(examples: Sequence[Example], names: tuple[str, ...]) -> list[float]:
    """1 where a single logit's label is there and −1 where it is not, from values or from two classes, the first no."""
    if len(names) > 2:
        raise UserError(f"The model tells two classes apart, but the data have {len(names)}: {join_briefly(names)}.")
    answers = [1 if len(names) == 1 and example.value is None else _find_value(example) for example in examples]
    strange = [answer for answer in answers if answer not in (0, 1)]
    if strange:
        raise UserError(f"The model says yes or no, but the data have the value {strange[0]:g}: give 0 and 1.")
    return [1.0 if answer else -1.0 for answer in answers]
