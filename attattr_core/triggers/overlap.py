"""Which examples are mined, and that no trigger is evaluated on them; no torch."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from attattr_core.datasets import ExampleSet, digest_example
from attattr_core.errors import UserError


def choose_examples(n_all: int, n_examples: int, seed: int | None) -> list[int]:
    """Chooses which of a data set's examples are mined: the first ones, or with a seed random ones, in their order."""
    order = np.arange(n_all) if seed is None else np.random.default_rng(seed).permutation(n_all)
    return sorted(order[:n_examples].tolist())


def drop_mined(examples: ExampleSet, mined: Collection[str], *, drop: bool = False) -> ExampleSet:
    """Keeps examples that were mined out of an evaluation.

    Args:
        examples: The evaluation data.
        mined: Digests of the mined examples.
        drop: Leave them out, in place of refusing the data.

    Raises:
        UserError: When there are such examples and they are not dropped, or none is left.
    """
    known = set(mined)
    fresh = tuple(example for example in examples.examples if not known or digest_example(example) not in known)
    n_mined = len(examples) - len(fresh)
    if n_mined and not (drop and fresh):
        raise UserError(
            f"{n_mined} of the {len(examples)} examples of {examples.file_name!r} were used for mining, and what is "
            "measured on them proves nothing: choose other data"
            + ("." if drop else ", or leave these out (command line: --drop-mined; Python: drop_overlap=True).")
        )
    return replace(examples, examples=fresh, kinds=()) if n_mined else examples
