"""Texts that are longer than a model takes, which a visitor should know of."""

from typing import TYPE_CHECKING

from attattr_core.datasets import ExampleSet

if TYPE_CHECKING:
    from attattr_core.checkpoints import Checkpoint


def tell_cut(checkpoint: "Checkpoint", examples: ExampleSet, what: str) -> str:
    """Says how many texts of a data set are cut to what a model takes.

    Args:
        checkpoint: The classifier.
        examples: The data set.
        what: The texts in words, such as ``"texts of the curves"``.

    Returns:
        A sentence, or "" where none is cut.
    """
    from attattr_core.encoding import encode, find_max_length

    n_cut = sum(encode(checkpoint, example.text, example.text_pair).n_cut > 0 for example in examples.examples)
    if not n_cut:
        return ""
    were, tokens = "was" if n_cut == 1 else "were", find_max_length(checkpoint)
    return f"{n_cut} of the {len(examples)} {what} {were} cut to {tokens} tokens, as many as are taken here."
