"""What every way of mining shares: which examples, in which groups, and what tells one job from another."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.datasets import Example, ExampleSet
from attattr_core.engine.batches import bucket_examples
from attattr_core.engine.encoding import Encoded, encode
from attattr_core.engine.stopping import ask
from attattr_core.errors import UserError
from attattr_core.triggers.mining_state import MiningState
from attattr_core.triggers.overlap import choose_examples
from attattr_core.triggers.results import TriggerSet

_GROUP = 4  # examples worked on at a time on a processor, so that progress shows and little is lost


@dataclass(frozen=True, eq=False)
class MiningSoFar:
    """Triggers so far, and how far the work is.

    Attributes:
        triggers: Those found so far, in the order of `TriggerSet`; the last tenth may be missing until all are there.
        n_done: Examples done.
        n_total: Examples that there are to do.
    """

    triggers: TriggerSet
    n_done: int
    n_total: int


@dataclass(frozen=True)
class Chosen:
    """An example that is mined."""

    index: int
    example: Example
    encoded: Encoded


def encode_examples(
    checkpoint: Checkpoint, examples: ExampleSet, n_examples: int, min_tokens: int, seed: int | None
) -> list[Chosen]:
    """Chooses and encodes the examples to mine.

    Raises:
        UserError: When none has so many tokens.
    """
    chosen = []
    for index in choose_examples(len(examples), n_examples, seed):
        example = examples.examples[index]
        ask()
        encoded = encode(checkpoint, example.text, example.text_pair)
        if len(encoded.tokens) >= min_tokens:
            chosen.append(Chosen(index, example, encoded))
    if not chosen:
        raise UserError(
            f"None of the {min(n_examples, len(examples))} examples of {examples.file_name!r} has {min_tokens} tokens: "
            "take more examples or ask for fewer tokens."
        )
    return chosen


def group_examples(checkpoint: Checkpoint, chosen: list[Chosen], device_type: str) -> Iterator[list[Chosen]]:
    """Yields groups that are the same in every run of a job, so that an interrupted one gives the same numbers."""
    for bucket in bucket_examples(checkpoint, [one.encoded for one in chosen]):
        size = len(bucket) if device_type == "cuda" else _GROUP
        for start in range(0, len(bucket), size):
            yield [chosen[index] for index in bucket[start : start + size]]


def list_waiting(groups: Iterable[list[Chosen]], state: MiningState) -> list[list[Chosen]]:
    """Lists the groups that are not done."""
    return [group for group in groups if any(one.index not in state.done for one in group)]


def build_key(checkpoint: Checkpoint, job: TriggerSet, min_tokens: int, device_type: str) -> dict[str, Any]:
    """What tells this job from another one."""
    digest = hashlib.sha256("".join(job.example_digests).encode()).hexdigest()[:16]
    return {
        **{name: getattr(job, name) for name in ("mode", "model", "data", "n_examples", "seed", "versions")},
        "weights": checkpoint.identify_weights(),
        "min_tokens": min_tokens,
        "settings": job.settings.as_dict(),
        "labels": list(job.labels),
        "examples": digest,
        "device": device_type,
        "type": str(checkpoint.model.dtype),
    }
