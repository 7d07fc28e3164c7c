"""Texts that are longer than a model takes, which one should know of."""

from typing import TYPE_CHECKING

from attattr_core.datasets import ExampleSet
from attattr_core.heads.results import describe_cut

if TYPE_CHECKING:
    from attattr_core.checkpoints.checkpoint import Checkpoint


def tell_cut(checkpoint: "Checkpoint", examples: ExampleSet, what: str) -> str:
    """Says how many texts of a data set are cut to what a model takes.

    Args:
        checkpoint: The classifier.
        examples: The data set.
        what: What it is for, such as ``"to mine"``.

    Returns:
        A sentence, or "" where none is cut.
    """
    from attattr_core.engine.encoding import encode_all

    texts = ((one.text, one.text_pair) for one in examples.examples)
    n_cut = sum(encoded.n_cut > 0 for encoded in encode_all(checkpoint, texts))
    return f"Of the data {what}, {describe_cut(n_cut, len(examples))}" if n_cut else ""
