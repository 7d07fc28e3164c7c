"""Measure a finished checkpoint folder on labelled files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attattr_core.datasets import ExampleSet
from attattr_core.intervals import compute_wilson

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Evaluation:
    """Accuracy on one file.

    Attributes:
        name: What the file is called in reports.
        file: Its file name.
        sha256: Its digest.
        n_examples: Labelled examples measured.
        n_correct: How many the model classified right.
        kinds: Pairs of correct and all examples by kind, where the file has a column ``kind``.
    """

    name: str
    file: str
    sha256: str
    n_examples: int
    n_correct: int
    kinds: dict[str, tuple[int, int]]

    @property
    def accuracy(self) -> float:
        """Fraction classified right."""
        return self.n_correct / self.n_examples

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson interval of the accuracy at 95 %."""
        low, high = compute_wilson(self.accuracy, self.n_examples)
        return float(low), float(high)


def load_folder(folder: str | Path) -> tuple[Any, "PreTrainedTokenizerBase"]:
    """Load a folder that fine-tuning wrote, in float32 on the CPU, an adapter merged into its base.

    Args:
        folder: A full checkpoint or an adapter; an adapter's base lies beside it, or is a path or a Hub id.

    Returns:
        The model in evaluation mode and its tokenizer.

    Raises:
        UserError: If the folder or its base cannot be loaded.
    """
    from attattr_core.checkpoints.checkpoint import fetch
    from attattr_core.checkpoints.loading import load_parts
    from attattr_core.hub import Reference, find_snapshot

    description = fetch(Reference("folder", str(folder)), is_attributed=False)
    parts = [part for part in (description, description.base) if part is not None]
    return load_parts(*map(find_snapshot, parts), name=description.name, is_attributed=False)


def evaluate_folder(
    folder: str | Path, eval_sets: Mapping[str, ExampleSet], *, max_length: int = 128, batch_size: int = 64
) -> tuple[Evaluation, ...]:
    """Measure a folder's accuracy on every set, as it was saved.

    Args:
        folder: What fine-tuning wrote.
        eval_sets: Examples by name, read with the model's label names.
        max_length: Longest input in tokens.
        batch_size: Examples a pass.

    Returns:
        One evaluation a set, in the sets' order.

    Raises:
        UserError: If the folder cannot be loaded.
    """
    if not eval_sets:
        return ()
    model, tokenizer = load_folder(folder)
    return tuple(
        _evaluate(name, part, _predict(model, tokenizer, part, max_length, batch_size))
        for name, part in eval_sets.items()
    )


def _predict(model: Any, tokenizer: Any, part: ExampleSet, max_length: int, batch_size: int) -> list[int]:
    import torch

    lengths = [len(example.text) + len(example.text_pair or "") for example in part.examples]
    order = sorted(range(len(part)), key=lengths.__getitem__)
    predicted = [0] * len(part)
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        batch = [part.examples[row] for row in rows]
        pairs = [example.text_pair for example in batch]
        inputs = tokenizer(
            [example.text for example in batch],
            *([pairs] if pairs[0] is not None else []),
            padding=True,
            truncation=True,
            max_length=min(max_length, tokenizer.model_max_length),
            return_tensors="pt",
        )
        with torch.inference_mode():
            classes = model(**inputs).logits.argmax(-1).tolist()
        for row, label in zip(rows, classes, strict=True):
            predicted[row] = label
    return predicted


def _evaluate(name: str, part: ExampleSet, predicted: list[int]) -> Evaluation:
    right = [example.label == label for example, label in zip(part.examples, predicted, strict=True)]
    kinds: dict[str, tuple[int, int]] = {}
    for kind, is_right in zip(part.kinds, right, strict=False):
        n_correct, n = kinds.get(kind, (0, 0))
        kinds[kind] = (n_correct + is_right, n + 1)
    return Evaluation(name, part.file_name, part.sha256, len(right), sum(right), kinds)
