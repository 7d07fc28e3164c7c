"""Benchmark of jobs over data sets on Ray: what the plan in README.md ("Many machines") is reckoned from.

    python -m tests.benchmarks.cluster [--model snli] [--n-rows 392702]

* importance by attribution of the embedded set, in this process on one thread and on all, and by one worker of Ray for
  each processor; the start of Ray counts apart, with the workers' first batches;
* reading and checking a file of as many pairs as MNLI's training set, made of the embedded pairs;
* encoding some of them, on one thread;
* handing batches out to workers that do nothing: what Ray itself allows.
"""

import argparse
import os
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from attattr_core import Checkpoint, load_checkpoint
from attattr_core.cluster.ray_workers import RayWorkers, connecting
from attattr_core.cluster.workers import Work, Workers
from attattr_core.datasets import EMBEDDED_SETS, ExampleSet, open_data, pick_examples
from attattr_core.engine.encoding import Encoded, encode
from attattr_core.heads.importance import list_batches, measure_importance
from tests.benchmarks.engine import describe_machine

MNLI, N_ENCODED, N_FIRST = 392_702, 40_000, 16
_LONGEST, _SHORTEST = 200, 40  # letters of a premise


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=tuple(EMBEDDED_SETS), default="snli")
    parser.add_argument("--n-rows", type=int, default=MNLI)
    options = parser.parse_args(arguments)
    checkpoint = load_checkpoint(options.model, device="cpu")
    examples = open_data(options.model, checkpoint.labels)
    print(f"{describe_machine()}\n\n| | |\n|---|---|")
    for what, figure in measure(checkpoint, examples, options.n_rows):
        print(f"| {what} | {figure} |", flush=True)


def measure(checkpoint: Checkpoint, examples: ExampleSet, n_rows: int) -> Iterator[tuple[str, str]]:
    """Measures everything: what it is, and a figure."""
    n_all = torch.get_num_threads()
    for n_threads in sorted({1, n_all}):
        torch.set_num_threads(n_threads)
        yield f"this process, threads: {n_threads}", f"{time_importance(checkpoint, examples):.1f} examples/s"
    start = time.perf_counter()
    with connecting(None):
        workers = RayWorkers(checkpoint)
        time_importance(checkpoint, pick_examples(examples, N_FIRST), workers)
        yield "start of Ray and its workers", f"{time.perf_counter() - start:.1f} s"
        yield f"Ray, {workers.crew}", f"{time_importance(checkpoint, examples, workers):.1f} examples/s"
        torch.set_num_threads(1)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "pairs.tsv"
            write_pairs(path, n_rows)
            start = time.perf_counter()
            pairs = open_data(path, ("entailment", "neutral", "contradiction"))
            n_bytes = os.path.getsize(path)
            yield f"reading {len(pairs):,} rows, {n_bytes / 1e6:.0f} MB", f"{time.perf_counter() - start:.1f} s"
        start = time.perf_counter()
        encoded = [encode(checkpoint, one.text, one.text_pair) for one in pairs.examples[:N_ENCODED]]
        rate = len(encoded) / (time.perf_counter() - start)
        n_tokens = np.mean([len(one.tokens) for one in encoded])
        yield f"encoding, {n_tokens:.0f} tokens in the mean", f"{rate:,.0f} examples/s"
        yield "handing batches out", f"{time_handing(checkpoint, encoded, workers):,.0f} examples/s"


def time_importance(checkpoint: Checkpoint, examples: ExampleSet, workers: Workers | None = None) -> float:
    """Examples a second of importance by attribution."""
    start = time.perf_counter()
    *_, last = measure_importance(checkpoint, examples, n_examples=None, workers=workers)
    return last.n_done / (time.perf_counter() - start)


def time_handing(checkpoint: Checkpoint, encoded: Sequence[Encoded], workers: Workers) -> float:
    """Examples a second that reach workers in batches for GPUs, with nothing to be done with them."""
    run = workers.start(_prepare_nothing, onednn=False)
    batches = list_batches(checkpoint, encoded, "cuda")
    list(run([([],)]))  # the job itself has reached a worker
    start = time.perf_counter()
    n_examples = sum(len(step.result) for step in run(([encoded[index] for index in batch],) for batch in batches))
    return n_examples / (time.perf_counter() - start)


def _prepare_nothing(checkpoint: Checkpoint) -> Work:
    def work(encoded: Sequence[Encoded]) -> Iterator[tuple[float, np.ndarray]]:
        yield 1.0, np.zeros((len(encoded), 1, 12, 12))

    return work


def write_pairs(path: Path, n_rows: int) -> None:
    """Writes pairs of MNLI's lengths: embedded ones, whose premises are joined two by two and cut anywhere."""
    header, *lines = EMBEDDED_SETS["snli"].read_text(encoding="utf-8").splitlines()
    rows, draw = [line.split("\t") for line in lines], random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        file.write(header + "\n")
        for _ in range(n_rows):
            (premise, *others), (more, *_) = draw.choice(rows), draw.choice(rows)
            cut = f"{premise} {more}"[: draw.randint(_SHORTEST, _LONGEST)].strip()
            file.write("\t".join((cut, *others)) + "\n")


if __name__ == "__main__":
    main()
