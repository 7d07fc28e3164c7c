"""Labelled texts: one, many, their digests, and a choice of them."""

import hashlib
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path

from attattr_core.errors import UserError

_N_DIGITS = 16


@dataclass(frozen=True)
class Example:
    """One labelled text.

    Attributes:
        text: The sentence, or the first of a pair.
        text_pair: The second of a pair, or None.
        label: Class index, from 0; 0 where there is a value, which is that of the only output.
        value: What a checkpoint with a single output should give: a measured value, or 0 and 1; None for classes.
    """

    text: str
    text_pair: str | None
    label: int
    value: float | None = None


@dataclass(frozen=True)
class ExampleSet:
    """The examples of one file or data set.

    Attributes:
        examples: In the file's order.
        label_names: Class names by index; one name where the examples have values.
        kinds: The column ``kind`` for every example, empty without such a column.
        file_name: Name of the file, without its folder, or of the data set.
        sha256: Hexadecimal digest of the file as it lies on disk.
        n_skipped: Rows left out: those without a gold label, which SNLI and MNLI mark with ``-`` (or -1), and the
            corrupted ones of QQP's own files.
        columns: The names of the columns that were taken: text, second text, label, kind.
        notice: What a person should know, or "".
    """

    examples: tuple[Example, ...]
    label_names: tuple[str, ...]
    kinds: tuple[str, ...]
    file_name: str
    sha256: str
    n_skipped: int
    columns: tuple[str, ...] = ()
    notice: str = ""

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.examples)

    @property
    def has_values(self) -> bool:
        """Whether the examples have values, not classes."""
        return bool(self.examples) and self.examples[0].value is not None

    @property
    def has_pairs(self) -> bool:
        """Whether the examples are pairs."""
        return bool(self.examples) and self.examples[0].text_pair is not None


def pick_examples(example_set: ExampleSet, n: int, *, seed: int | None = None) -> ExampleSet:
    """Choose examples; everything else about the set stays.

    Args:
        example_set: All examples.
        n: How many at most.
        seed: Where a choice at random without repetition begins, in the order drawn; None takes the first ones.

    Returns:
        The chosen ones, with their kinds.

    Raises:
        UserError: For fewer than one example, or a negative seed.
    """
    if n < 1:
        raise UserError(f"{n} examples are asked for: choose 1 or more.")
    if seed is None:
        chosen = range(min(n, len(example_set)))
    else:
        if seed < 0:
            raise UserError(f"The seed is {seed}: choose 0 or more.")
        import numpy as np

        chosen = np.random.default_rng(seed).permutation(len(example_set))[:n].tolist()
    kinds = tuple(example_set.kinds[index] for index in chosen) if example_set.kinds else ()
    return replace(example_set, examples=tuple(example_set.examples[index] for index in chosen), kinds=kinds)


def digest_example(example: Example) -> str:
    """Return what tells the texts of an example from others, whatever its label, case and spacing.

    Args:
        example: The example.

    Returns:
        The first 16 hexadecimal digits of the SHA-256 of its normalised texts.
    """
    parts = (example.text, example.text_pair or "")
    folded = (" ".join(unicodedata.normalize("NFKC", part).casefold().split()) for part in parts)
    return hashlib.sha256("\x1f".join(folded).encode("utf-8", "surrogatepass")).hexdigest()[:_N_DIGITS]


def digest_file(path: str | Path) -> str:
    """Return the SHA-256 of a file.

    Args:
        path: The file.

    Returns:
        64 hexadecimal digits.
    """
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
