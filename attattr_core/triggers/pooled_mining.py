"""Pooled mining as a job: tokens of one part of the examples, tried on the other; `pooled` says how."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.engine.products import fixing_product
from attattr_core.triggers.attack import Attack
from attattr_core.triggers.mining_job import Chosen, MiningSoFar, group_examples
from attattr_core.triggers.mining_state import MiningState
from attattr_core.triggers.pooled import (
    HELD_OUT,
    N_FREQUENT,
    N_PAIRED,
    N_PATTERNS,
    N_TOKENS,
    Candidate,
    Trial,
    build_trigger,
    pair_candidates,
    pool_candidates,
    sort_candidates,
    try_candidate,
    write_record,
)
from attattr_core.triggers.results import TriggerSet
from attattr_core.triggers.strongest import find_strong_tokens


def mine_pooled(
    checkpoint: Checkpoint, chosen: list[Chosen], job: TriggerSet, state: MiningState, *, first_trial: int
) -> Iterator[MiningSoFar]:
    """Mines by pooling.

    Args:
        checkpoint: The classifier.
        chosen: The examples.
        job: Where the triggers come from, without triggers.
        state: What is done.
        first_trial: Number under which the first trial is kept in the state, above those of all examples.

    Yields:
        The job's triggers so far, none before candidates are tried; progress counts examples, then candidates.
    """
    order = np.random.default_rng(0).permutation(len(chosen)).tolist()
    n_held = max(1, round(HELD_OUT * len(chosen)))
    pooled, held = ([chosen[number] for number in sorted(part)] for part in (order[n_held:], order[:n_held]))
    n_labels = len(checkpoint.labels)
    n_pairs = n_labels * N_PAIRED * (N_PAIRED - 1) // 2  # at most
    for group in group_examples(checkpoint, pooled):
        n_total = len(pooled) + n_labels * (N_PATTERNS + N_TOKENS + N_FREQUENT) + n_pairs
        if not all(one.index in state.done for one in group):
            with fixing_product(state.onednn):
                found = find_strong_tokens(checkpoint, [one.encoded for one in group], job.settings)
            state.add({one.index: part for one, part in zip(group, found, strict=True)}, write_record)
            yield MiningSoFar(job, len(state.done), n_total)
    candidates = pool_candidates([state.done[one.index] for one in pooled], n_labels)
    trials = _Trials(Attack(checkpoint, [one.example for one in held]), state, first_trial)
    for _ in trials.run(candidates):
        yield MiningSoFar(trials.list_triggers(job), len(state.done), len(pooled) + len(candidates) + n_pairs)
    pairs = pair_candidates(trials.tried, n_labels)
    for _ in trials.run(pairs):
        yield MiningSoFar(trials.list_triggers(job), len(state.done), len(pooled) + len(candidates) + len(pairs))
    yield MiningSoFar(trials.list_triggers(job), len(state.done), len(state.done))


class _Trials:
    """Candidates tried so far on the held-out part."""

    def __init__(self, attack: Attack, state: MiningState, first: int) -> None:
        self.attack, self.state, self.first = attack, state, first
        self.tried: list[tuple[Candidate, Trial]] = []

    def run(self, candidates: Sequence[Candidate]) -> Iterator[None]:
        """Tries candidates; yields after each one that the state does not have yet."""
        for candidate in candidates:
            number = self.first + len(self.tried)
            is_new = number not in self.state.done
            if is_new:
                with fixing_product(self.state.onednn):
                    if not len(self.attack.clean):
                        self.attack.run_clean()
                    self.state.add({number: try_candidate(self.attack, candidate)}, write_record)
            self.tried.append((candidate, self.state.done[number]))
            if is_new:
                yield

    def list_triggers(self, job: TriggerSet) -> TriggerSet:
        """The job's triggers so far, the best first."""
        checkpoint = self.attack.checkpoint
        ordered = sort_candidates(self.tried, len(checkpoint.labels))
        triggers = tuple(build_trigger(checkpoint, candidate, has_pairs=self.attack.has_pairs) for candidate in ordered)
        return replace(job, triggers=triggers)
