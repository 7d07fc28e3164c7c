"""Pooled mining as a job: tokens of one part of the examples, tried on the other; `pooled` says how."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial

import numpy as np

from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.cluster.workers import Work, Workers
from attattr_core.datasets import Example
from attattr_core.engine.encoding import Encoded
from attattr_core.settings import Settings
from attattr_core.triggers.attack import Attack
from attattr_core.triggers.mining_job import Chosen, MiningSoFar, group_examples, list_waiting
from attattr_core.triggers.mining_state import MiningState
from attattr_core.triggers.pooled import (
    HELD_OUT,
    N_FREQUENT,
    N_PAIRED,
    N_PATTERNS,
    N_TOKENS,
    Candidate,
    StrongTokens,
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
    checkpoint: Checkpoint,
    chosen: list[Chosen],
    job: TriggerSet,
    state: MiningState,
    workers: Workers,
    *,
    first_trial: int,
) -> Iterator[MiningSoFar]:
    """Mines by pooling.

    Args:
        checkpoint: The classifier.
        chosen: The examples.
        job: Where the triggers come from, without triggers.
        state: What is done.
        workers: Who does the work.
        first_trial: Number under which the first trial is kept in the state, above those of all examples.

    Yields:
        The job's triggers so far, none before candidates are tried; progress counts examples, then candidates.
    """
    order = np.random.default_rng(0).permutation(len(chosen)).tolist()
    n_held = max(1, round(HELD_OUT * len(chosen)))
    pooled, held = ([chosen[number] for number in sorted(part)] for part in (order[n_held:], order[:n_held]))
    n_labels = len(checkpoint.labels)
    n_pairs = n_labels * N_PAIRED * (N_PAIRED - 1) // 2  # at most
    n_total = len(pooled) + n_labels * (N_PATTERNS + N_TOKENS + N_FREQUENT) + n_pairs
    waiting = list_waiting(group_examples(checkpoint, pooled, workers.device_type), state)
    run = workers.start(partial(_prepare_finding, settings=job.settings), onednn=state.onednn)
    with closing(run(([one.encoded for one in group],) for group in waiting)) as steps:
        for number, _, found in steps:
            state.add({one.index: part for one, part in zip(waiting[number], found, strict=True)}, write_record)
            yield MiningSoFar(job, len(state.done), n_total)
    candidates = pool_candidates([state.done[one.index] for one in pooled], n_labels)
    trials = _Trials(Attack(checkpoint, [one.example for one in held]), state, workers, first_trial)
    for _ in trials.run(candidates):
        yield MiningSoFar(trials.list_triggers(job), len(state.done), len(pooled) + len(candidates) + n_pairs)
    pairs = pair_candidates(trials.tried, n_labels)
    for _ in trials.run(pairs):
        yield MiningSoFar(trials.list_triggers(job), len(state.done), len(pooled) + len(candidates) + len(pairs))
    yield MiningSoFar(trials.list_triggers(job), len(state.done), len(state.done))


def _prepare_finding(checkpoint: Checkpoint, settings: Settings) -> Work:
    def work(encoded: Sequence[Encoded]) -> Iterator[tuple[float, list[StrongTokens]]]:
        yield 1.0, find_strong_tokens(checkpoint, encoded, settings)

    return work


def _prepare_trying(checkpoint: Checkpoint, held: Sequence[Example]) -> Work:
    attack = Attack(checkpoint, held)
    attack.run_clean()

    def work(candidate: Candidate) -> Iterator[tuple[float, Trial]]:
        yield 1.0, try_candidate(attack, candidate)

    return work


class _Trials:
    """Candidates tried so far on the held-out part."""

    def __init__(self, attack: Attack, state: MiningState, workers: Workers, first: int) -> None:
        self.attack, self.state, self.first = attack, state, first
        self.candidates: list[Candidate] = []
        self._run = workers.start(partial(_prepare_trying, held=attack.examples), onednn=state.onednn)

    @property
    def tried(self) -> list[tuple[Candidate, Trial]]:
        """What was tried, and what it did."""
        numbered = enumerate(self.candidates, self.first)
        return [(one, self.state.done[number]) for number, one in numbered if number in self.state.done]

    def run(self, candidates: Sequence[Candidate]) -> Iterator[None]:
        """Tries candidates; yields after each one that the state does not have yet."""
        numbered = list(enumerate(candidates, self.first + len(self.candidates)))
        self.candidates += candidates
        waiting = [(number, one) for number, one in numbered if number not in self.state.done]
        with closing(self._run((one,) for _, one in waiting)) as steps:
            for index, _, trial in steps:
                self.state.add({waiting[index][0]: trial}, write_record)
                yield

    def list_triggers(self, job: TriggerSet) -> TriggerSet:
        """The job's triggers so far, the best first."""
        checkpoint = self.attack.checkpoint
        ordered = sort_candidates(self.tried, len(checkpoint.labels))
        triggers = tuple(build_trigger(checkpoint, candidate, has_pairs=self.attack.has_pairs) for candidate in ordered)
        return replace(job, triggers=triggers)
