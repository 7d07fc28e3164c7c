"""Mine triggers: the strongest attribution entries of many examples (section 4 of the paper).

Work goes through the examples in a fixed order of groups; what a group gave goes to a file of state, so that a job that
was killed goes on and ends with the identical list.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.cluster.workers import LocalWorkers, Work, Workers
from attattr_core.datasets import ExampleSet, digest_example
from attattr_core.engine.encoding import Encoded
from attattr_core.engine.outputs import check_function, find_output_kind
from attattr_core.engine.products import find_product
from attattr_core.errors import UserError
from attattr_core.labels.order import rename_classes
from attattr_core.settings import Settings
from attattr_core.triggers.attack import check_classes
from attattr_core.triggers.entries import read_trigger, write_trigger
from attattr_core.triggers.mining_job import (
    Chosen,
    MiningSoFar,
    build_key,
    encode_examples,
    group_examples,
    list_waiting,
)
from attattr_core.triggers.mining_state import MiningState
from attattr_core.triggers.pooled import MIN_EXAMPLES, read_record
from attattr_core.triggers.pooled_mining import mine_pooled
from attattr_core.triggers.results import Trigger, TriggerSet
from attattr_core.triggers.strongest import find_patterns
from attattr_core.triggers.versions import list_versions

__all__ = ["DEFAULT_EXAMPLES", "DEFAULT_SETTINGS", "MODES", "PAPER_SETTINGS", "MiningSoFar", "mine_triggers"]

MODES = ("paper", "pooled")
DEFAULT_EXAMPLES = 500
PAPER_SETTINGS = Settings(rule="left", n_steps=64)
DEFAULT_SETTINGS = {"paper": PAPER_SETTINGS, "pooled": Settings()}
_GROWTH = 1.1  # the list is sorted anew when there are so many times the triggers


def mine_triggers(
    checkpoint: Checkpoint,
    examples: ExampleSet,
    *,
    mode: str = "paper",
    n_examples: int = DEFAULT_EXAMPLES,
    min_tokens: int = 0,
    seed: int | None = None,
    settings: Settings | None = None,
    state: str | Path | None = None,
    workers: Workers | None = None,
) -> Iterator[MiningSoFar]:
    """Mines triggers from labelled examples; what is explained is the predicted class.

    Args:
        checkpoint: The classifier.
        examples: The data set.
        mode: ``"paper"``: of each example the two largest entries of the head that holds the largest one; or
            ``"pooled"``: tokens and patterns of many examples, tried on the others (`attattr_core.triggers.pooled`).
        n_examples: How many examples are taken.
        min_tokens: Of those, shorter ones, special tokens counted, are left out; the authors use 15 for SST-2.
        seed: Where the random choice of examples begins; None takes the first ones, as the authors do.
        settings: The convention; by default the authors' 64 left nodes.
        state: A file that keeps what is done; a job that finds it there goes on.
        workers: Who does the work; None for this process.

    Yields:
        The triggers so far; closing the generator stops the work.

    Raises:
        UserError: For another mode, a model without classes, no example long enough, or a state of another job.
    """
    if mode not in MODES:
        raise UserError(f"There is no way of mining called {str(mode)[:40]!r}: choose one of {', '.join(MODES)}.")
    if n_examples < 1:
        raise UserError(f"The number of examples to mine is {n_examples}: choose 1 or more.")
    if seed is not None and seed < 0:
        raise UserError(f"The seed is {seed}: choose 0 or more, or none for the first examples.")
    settings = settings or DEFAULT_SETTINGS[mode]
    check_classes(checkpoint)
    examples = rename_classes(examples, checkpoint.labels)
    check_function(settings.function, find_output_kind(checkpoint.model.config))
    chosen = encode_examples(checkpoint, examples, n_examples, min_tokens, seed)
    if mode == "pooled" and len(chosen) < MIN_EXAMPLES:
        raise UserError(
            f"Pooled mining tries on some examples what the others give, so it needs {MIN_EXAMPLES} or more, not "
            f"{len(chosen)}: take more examples, or mode paper."
        )
    job = TriggerSet(
        triggers=(),
        mode=mode,
        model=checkpoint.name,
        revision=checkpoint.revision,
        labels=checkpoint.labels,
        data=examples.file_name,
        data_sha256=examples.sha256,
        example_digests=tuple(digest_example(one.example) for one in chosen),
        n_examples=len(chosen),
        seed=seed,
        settings=settings,
        versions=list_versions(),
    )
    is_pooled = mode == "pooled"
    workers = workers or LocalWorkers(checkpoint)
    key = build_key(checkpoint, job, min_tokens, workers.device_type) if state else {}
    read = read_record if is_pooled else read_trigger
    kept = MiningState(Path(state) if state else None, key, read, onednn=find_product())
    if is_pooled:
        return _keep(kept, mine_pooled(checkpoint, chosen, job, kept, workers, first_trial=len(examples)))
    return _keep(kept, _mine_patterns(checkpoint, chosen, job, kept, workers))


def _keep(state: MiningState, steps: Generator[MiningSoFar]) -> Iterator[MiningSoFar]:
    """Sees to it that all that is done is in the file when the work ends or is stopped."""
    try:
        with closing(steps):
            yield from steps
    finally:
        state.flush()


def _mine_patterns(
    checkpoint: Checkpoint, chosen: list[Chosen], job: TriggerSet, state: MiningState, workers: Workers
) -> Iterator[MiningSoFar]:
    """Paper mode: one pattern an example."""
    so_far = _sort(job, state.done)
    yield MiningSoFar(so_far, len(state.done), len(chosen))
    waiting = list_waiting(group_examples(checkpoint, chosen, workers.device_type), state)
    shards = (([one.encoded for one in group], [one.example.label for one in group]) for group in waiting)
    run = workers.start(partial(_prepare, settings=job.settings), onednn=state.onednn)
    with closing(run(shards)) as steps:
        for number, _, patterns in steps:
            found = zip(waiting[number], patterns, strict=True)
            state.add({one.index: pattern for one, pattern in found}, write_trigger)
            if len(state.done) == len(chosen) or len(state.done) >= len(so_far.triggers) * _GROWTH:
                so_far = _sort(job, state.done)
            yield MiningSoFar(so_far, len(state.done), len(chosen))


def _prepare(checkpoint: Checkpoint, settings: Settings) -> Work:
    def work(encoded: Sequence[Encoded], golds: Sequence[int]) -> Iterator[tuple[float, list[Trigger]]]:
        yield 1.0, find_patterns(checkpoint, encoded, golds, settings)

    return work


def _sort(job: TriggerSet, found: Mapping[int, Trigger]) -> TriggerSet:
    """The strongest first, equal ones in the order of their examples."""
    ordered = sorted((found[index] for index in sorted(found)), key=lambda trigger: trigger.strength, reverse=True)
    return replace(job, triggers=tuple(ordered))
