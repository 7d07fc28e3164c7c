"""Benchmark of head importance against loops over single examples.

    python -m tests.benchmarks.heads [--n-examples 200] [--threads N]

The importance by attribution of the checkpoint `sst2` on the project's own sentences, gold label, zero baseline,
float32, on the CPU:

* ours: `measure_importance`, batched over examples and nodes, adaptive Gauss–Legendre to 1 %;
* ours, 20 left nodes: the same at the authors' nodes;
* one by one: the engine's `attribute` in a loop, adaptive and with 20 left nodes;
* the straightforward loop: for every example, layer and node a full forward and backward pass (the 20 nodes of a layer
  as one batch of rows), on PyTorch's kernels, without padding;
* the authors' procedure (see `tests.benchmarks.contestants`), which has 20 rows from the layer on and one below, with
  their own GELU and layer normalisation, without padding.

All take turns in one process, a group of sentences each, so that what else the machine does meets all of them; on a
busy machine ``--threads 1`` and the processor's time are the steadier measure. The error of the importance is its
largest distance from that of 64 Gauss–Legendre nodes, as a share of the largest head; a miss is |convergence delta| as
a share of |F(A) − F(A′)|, over all layers of all sentences that change F. The bar is 8 for the straightforward loop,
and a smaller error.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from attattr_core import Checkpoint, Settings, attribute, load_checkpoint
from attattr_core.datasets import ExampleSet, read_examples
from attattr_core.engine.encoding import collate, encode
from attattr_core.engine.replay import instrumented
from attattr_core.heads.golds import find_golds
from attattr_core.heads.importance import measure_importance
from attattr_core.heads.measures import integrate_gold
from attattr_core.heads.predictions import list_buckets
from tests.benchmarks.contestants import Authors
from tests.benchmarks.engine import describe_machine

DATA = Path(__file__).resolve().parents[2] / "assets" / "data" / "sst2.tsv"
LEFT, EXACT = Settings(rule="left", n_steps=20), Settings(n_steps=64)
BAR, N_NODES = 8, 20
OURS, LOOP = "ours", "straightforward loop, 20 left nodes"
SMALLEST_CHANGE = 1e-4  # of F: below it a share of the change says nothing


@dataclass(frozen=True)
class Timing:
    """What one contestant took, in seconds of the clock and of the processor, and the importance it found, (L, H)."""

    seconds: float
    processor: float
    importance: np.ndarray


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.heads", description=__doc__.split("\n")[0])
    parser.add_argument("--n-examples", type=int, default=200, metavar="N", help="sentences (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="torch threads (default: torch's own choice)")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    print(describe_machine(), flush=True)
    checkpoint = load_checkpoint("sst2", device="cpu")
    examples = read_examples(DATA, labels=checkpoint.labels)
    examples = replace(examples, examples=examples.examples[: options.n_examples])
    timings = measure(checkpoint, examples)
    exact = measure_ours(checkpoint, examples, EXACT)
    print(f"{len(examples)} sentences\n")
    print("| | Seconds | Ours is faster by | … in processor time | Error of the importance |")
    print("|---|---:|---:|---:|---:|")
    for name, timing in timings.items():
        ratio, by_processor = _compare(timing, timings[OURS])
        error = np.abs(timing.importance - exact).max() / np.abs(exact).max()
        print(f"| {name} | {timing.seconds:.1f} | {ratio:.2f} × | {by_processor:.2f} × | {error:.3%} |")
    print("\n| Nodes | Median miss | 95 % of layers | Sum of misses over sum of changes |\n|---|---:|---:|---:|")
    for name, settings in (("adaptive, to 1 %", Settings()), ("20 left", LEFT)):
        gaps, changes = measure_misses(checkpoint, examples, settings)
        matter = changes > SMALLEST_CHANGE
        shares = gaps[matter] / changes[matter]
        print(
            f"| {name} | {np.median(shares):.3%} | {np.quantile(shares, 0.95):.2%} | {gaps.sum() / changes.sum():.2%} |"
        )
    ratio, by_processor = _compare(timings[LOOP], timings[OURS])
    print(f"\nAgainst the {LOOP}: {ratio:.1f} ×, in processor time {by_processor:.1f} × (bar {BAR})")


def _compare(theirs: Timing, ours: Timing) -> tuple[float, float]:
    return theirs.seconds / ours.seconds, theirs.processor / ours.processor


def measure(checkpoint: Checkpoint, examples: ExampleSet) -> dict[str, Timing]:
    """Lets all contestants take turns, a group of sentences of similar length each; importances add up."""
    contestants: dict[str, Callable[[ExampleSet], np.ndarray]] = {
        OURS: lambda group: measure_ours(checkpoint, group, None),
        "ours, 20 left nodes": lambda group: measure_ours(checkpoint, group, LEFT),
        "one by one": lambda group: attribute_each(checkpoint, group, None),
        "one by one, 20 left nodes": lambda group: attribute_each(checkpoint, group, LEFT),
        LOOP: lambda group: run_authors(checkpoint, group, plain=False, full=True),
        "authors' procedure, 20 left nodes": lambda group: run_authors(checkpoint, group, plain=True, full=False),
    }
    encoded = [encode(checkpoint, example.text, example.text_pair) for example in examples.examples]
    groups = [
        replace(examples, examples=tuple(examples.examples[index] for index in bucket))
        for bucket in list_buckets(checkpoint, encoded)
    ]
    warm = replace(examples, examples=examples.examples[:1])
    for run in contestants.values():
        run(warm)
    seconds, processor = (dict.fromkeys(contestants, 0.0) for _ in range(2))
    sums = dict.fromkeys(contestants, np.zeros(()))
    for turn, group in enumerate(groups):
        names = list(contestants)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            start, start_processor = time.perf_counter(), time.process_time()
            found = contestants[name](group)
            seconds[name] += time.perf_counter() - start
            processor[name] += time.process_time() - start_processor
            sums[name] = sums[name] + found
    return {name: Timing(seconds[name], processor[name], sums[name]) for name in contestants}


def measure_ours(checkpoint: Checkpoint, examples: ExampleSet, settings: Settings | None) -> np.ndarray:
    """The importance as this project measures it."""
    *_, last = measure_importance(checkpoint, examples, n_examples=None, settings=settings)
    return last.importance.values


def attribute_each(checkpoint: Checkpoint, examples: ExampleSet, settings: Settings | None) -> np.ndarray:
    """The same by the engine, one sentence after the other."""
    return sum(
        attribute(checkpoint, example.text, example.text_pair, target=example.label, settings=settings).head_maximum
        for example in examples.examples
    )


def run_authors(checkpoint: Checkpoint, examples: ExampleSet, *, plain: bool, full: bool) -> np.ndarray:
    """The same by the authors' procedure."""
    total = 0
    for example in examples.examples:
        inputs = collate(checkpoint, [encode(checkpoint, example.text, example.text_pair)])
        authors = Authors(checkpoint.model, inputs, N_NODES, plain=plain, full=full, target=example.label)
        authors.start()
        layers = range(checkpoint.model.config.num_hidden_layers)
        total = total + np.stack([maps.amax((1, 2)).double().numpy() for maps in authors.attribute(layers)])
    return total


def measure_misses(checkpoint: Checkpoint, examples: ExampleSet, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """|convergence delta| and |F(A) − F(A′)| of every layer of every sentence."""
    encoded = [encode(checkpoint, example.text, example.text_pair) for example in examples.examples]
    golds = find_golds(checkpoint, examples, range(len(examples)))
    gaps, changes = [], []
    with instrumented(checkpoint.model):
        for bucket in list_buckets(checkpoint, encoded):
            part = [encoded[index] for index in bucket]
            for _, integral in integrate_gold(checkpoint, part, golds.pick(bucket), settings):
                sums = integral.attribution.double().sum((1, 2, 3))
                gaps.append(integral.convergence_delta.double().abs().numpy())
                changes.append((sums - integral.convergence_delta.double()).abs().numpy())
    return np.concatenate(gaps), np.concatenate(changes)


if __name__ == "__main__":
    main()
