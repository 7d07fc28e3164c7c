"""Benchmark of jobs over a data set against the engine on single examples.

    python -m tests.benchmarks.jobs [--jobs importance,mining,curves,pruning] [--n-examples N] [--json FILE] [--quick]

Four jobs on the checkpoint `sst2` and the project's own sentences (drawn with seed 0), float32, on the CPU with all of
torch's threads: head importance (gold label, to 1 %), trigger mining (the paper's mode: 64 left nodes), deletion curves
over a data set (the default tree, three random orders) and pruning curves (one importance, both directions, two random
orders). Beside each of them the same by a loop over single examples:

* importance and mining: `attattr_core.attribute`, one sentence after the other;
* deletion curves: `attribute`, and every pass with masked attention by itself;
* pruning curves: every pass of every sentence by itself; it starts at the first layer whose mask is another than in the
  pass before, as in the job.

Job, loop and `attribute` to 1 % take turns in one process over the same sentences; who begins changes from round to
round. Where the results of job and loop differ there are no figures. A rate is the operations that the method needs for
the real tokens, without padding (see `tests.benchmarks.operations`), over the seconds of the clock, all that a job does
included: reading tokens, trees, intervals. A share is the rate of the job over that of the loop, or of `attribute` to
1 %, in the same round; the median over rounds is printed. The bar is 85 %. On a busy machine the processor's time with
one thread (``--threads 1 --processor``) is the steadier measure.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from attattr_core import load_checkpoint
from attattr_core.datasets import pick_examples, read_examples
from tests.benchmarks.engine import describe_machine
from tests.benchmarks.heads import DATA
from tests.benchmarks.job_cases import CASES, Case, attribute_each, prepare

BAR = 0.85
N_EXAMPLES = {"importance": 96, "mining": 16, "curves": 24, "pruning": 48}
N_ROUNDS = {"importance": 3, "mining": 2, "curves": 3, "pruning": 3}
WORDS = {
    "importance": "head importance",
    "mining": "trigger mining",
    "curves": "deletion curves",
    "pruning": "pruning curves",
}


@dataclass(frozen=True)
class Timing:
    """What was measured of one job: seconds of each round, and operations.

    Attributes:
        job: Seconds of the job.
        loop: Of the same by single examples.
        engine: Of `attribute` to 1 %, one by one.
        operations: Of the job, or of the loop.
        engine_operations: Of `attribute`.
    """

    name: str
    n_examples: int
    job: list[float]
    loop: list[float]
    engine: list[float]
    operations: int
    engine_operations: int

    @property
    def share_of_loop(self) -> float:
        """The rate of the job over that of the loop, which needs as many operations."""
        return statistics.median(theirs / ours for ours, theirs in zip(self.job, self.loop, strict=True))

    @property
    def share_of_engine(self) -> float:
        """The rate of the job over that of `attribute`."""
        ratio = self.operations / self.engine_operations
        return ratio * statistics.median(theirs / ours for ours, theirs in zip(self.job, self.engine, strict=True))


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.jobs", description=__doc__.split("\n")[0])
    parser.add_argument("--jobs", default=",".join(CASES), help="some of them (default: %(default)s)")
    parser.add_argument("--n-examples", type=int, metavar="N", help=f"sentences (default: {N_EXAMPLES})")
    parser.add_argument("--rounds", type=int, help=f"turns of all (default: {N_ROUNDS})")
    parser.add_argument("--threads", type=int, help="torch threads (default: torch's own choice)")
    parser.add_argument("--processor", action="store_true", help="count the processor's time, not the clock's")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")
    parser.add_argument("--quick", action="store_true", help="one sentence, one round, to see that everything runs")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    print(describe_machine(), flush=True)
    print("\n| Job | Sentences | Of the loop's rate | Of `attribute`'s rate | GFLOP/s: job, loop, `attribute` |")
    print("|---|---:|---:|---:|---:|")
    timings = []
    for name in options.jobs.split(","):
        n_examples = 1 if options.quick else options.n_examples or N_EXAMPLES[name]
        n_rounds = 1 if options.quick else options.rounds or N_ROUNDS[name]
        clock = time.process_time if options.processor else time.perf_counter
        timings.append(measure(name, n_examples, n_rounds, clock=clock))
        print(format_row(timings[-1]), flush=True)
    if options.json:
        content = {"machine": describe_machine(), "jobs": [asdict(timing) for timing in timings]}
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def measure(name: str, n_examples: int, n_rounds: int, *, clock: Callable[[], float] = time.perf_counter) -> Timing:
    """Measures one job; the engine has run before, so that nothing is new in the first round."""
    checkpoint = load_checkpoint("sst2", device="cpu")
    examples = read_examples(DATA, labels=checkpoint.labels)
    sentences = prepare(checkpoint, pick_examples(examples, n_examples, seed=0))
    case = CASES[name](sentences)
    contestants = {
        "job": case.job,
        "loop": case.loop,
        "engine": lambda: attribute_each(checkpoint, sentences.examples),
    }
    seconds = {who: [] for who in contestants}
    for turn in range(n_rounds):
        names = list(contestants)
        found = {}
        for who in names[turn % len(names) :] + names[: turn % len(names)]:
            taken, found[who] = _time(contestants[who], clock)
            seconds[who].append(taken)
        _check(case, found["job"], found["loop"])
    return Timing(
        name=name,
        n_examples=n_examples,
        **seconds,
        operations=case.operations,
        engine_operations=sentences.count_attributions(sentences.attributions),
    )


def _time(function: Callable[[], np.ndarray], clock: Callable[[], float]) -> tuple[float, np.ndarray]:
    start = clock()
    result = function()
    return clock() - start, result


def _check(case: Case, job: np.ndarray, loop: np.ndarray) -> None:
    difference = float(np.abs(job - loop).max())
    if not difference <= case.tolerance:
        raise RuntimeError(f"Job and loop differ by {difference:.1e}: their times must not be compared.")


def format_row(timing: Timing) -> str:
    """Formats a row of the table."""
    rates = [
        timing.operations / statistics.median(timing.job),
        timing.operations / statistics.median(timing.loop),
        timing.engine_operations / statistics.median(timing.engine),
    ]
    words = ", ".join(f"{rate / 1e9:.0f}" for rate in rates)
    shares = f"{timing.share_of_loop:.0%} | {timing.share_of_engine:.0%}"
    return f"| {WORDS[timing.name]} | {timing.n_examples} | {shares} | {words} |"


if __name__ == "__main__":
    main()
