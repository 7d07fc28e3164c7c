"""Benchmark of deletion curves against as many plain forward passes.

    python -m tests.benchmarks.faithfulness [--lengths 24,60] [--rounds 9]

One sentence's 20 points × 12 orders (tree, raw attention, 10 random ones) on the checkpoint `sst2`, against 240
plain passes of transformers (its sdpa attention) in one batch, without gradients; both in one process, in turns,
float32, with all of torch's threads. The median over rounds of the ratio is printed; the bar is 1.5.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from attattr_core import Checkpoint, load_checkpoint
from attattr_core.attribution import Attribution
from attattr_core.engine.attributing import attribute
from attattr_core.settings import Settings
from attattr_core.trees.faithfulness import DEFAULT_POINTS, DEFAULT_SEEDS, measure_faithfulness
from attattr_core.trees.tree import AttributionTree, build_tree
from tests.benchmarks.engine import describe_machine
from tests.benchmarks.models import TEXT

BAR = 1.5


@dataclass(frozen=True)
class Timing:
    """Seconds of each round, of the curves and of the plain passes."""

    n_tokens: int
    curves: list[float]
    plain: list[float]

    @property
    def ratio(self) -> float:
        """The median over rounds of curves over plain passes."""
        return statistics.median(ours / theirs for ours, theirs in zip(self.curves, self.plain, strict=True))


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark and prints a line a length."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.faithfulness", description=__doc__.split("\n")[0])
    parser.add_argument("--lengths", default="24,60", help="numbers of tokens, separated by commas")
    parser.add_argument("--rounds", type=int, default=9, help="turns of both (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="torch threads (default: torch's own choice)")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    print(describe_machine(), flush=True)
    checkpoint = load_checkpoint("sst2", device="cpu")
    checkpoint.model.set_attn_implementation("sdpa")  # the fastest of transformers'
    for length in options.lengths.split(","):
        timing = measure(checkpoint, int(length), options.rounds)
        print(
            f"{timing.n_tokens} tokens: curves {statistics.median(timing.curves):.3f} s, plain passes "
            f"{statistics.median(timing.plain):.3f} s, ratio {timing.ratio:.2f} (bar {BAR})",
            flush=True,
        )


def measure(checkpoint: Checkpoint, n_tokens: int, n_rounds: int) -> Timing:
    """Times both in turns; who begins changes from round to round."""
    text = cut_text(checkpoint, n_tokens)
    attribution = attribute(checkpoint, text, settings=Settings(n_steps=4))
    tree = build_tree(attribution, n_edges=2 * DEFAULT_POINTS)
    contestants = [lambda: measure_curves(checkpoint, attribution, tree), lambda: run_plainly(checkpoint, text)]
    seconds: list[list[float]] = [[], []]
    for turn in range(-1, n_rounds):  # the first warms up
        for index in (0, 1) if turn % 2 else (1, 0):
            taken = _time(contestants[index])
            if turn >= 0:
                seconds[index].append(taken)
    return Timing(len(attribution.tokens), *seconds)


def cut_text(checkpoint: Checkpoint, n_tokens: int) -> str:
    """The beginning of the benchmark's text that gives so many tokens, or one more or less."""
    words = TEXT.split()
    lengths = [len(checkpoint.tokenizer(" ".join(words[:n]))["input_ids"]) for n in range(1, len(words) + 1)]
    return " ".join(words[: 1 + min(range(len(lengths)), key=lambda index: abs(lengths[index] - n_tokens))])


def measure_curves(checkpoint: Checkpoint, attribution: Attribution, tree: AttributionTree) -> None:
    """Deletion curves: 20 points × 12 orders."""
    counts = list(range(0, 2 * DEFAULT_POINTS, 2))
    measure_faithfulness(checkpoint, attribution, tree, counts=counts, n_seeds=DEFAULT_SEEDS, kinds=("deletion",))


def run_plainly(checkpoint: Checkpoint, text: str) -> None:
    """As many passes of the model as it is, in one batch."""
    inputs = checkpoint.tokenizer([text] * (DEFAULT_POINTS * (DEFAULT_SEEDS + 2)), return_tensors="pt")
    with torch.no_grad():
        checkpoint.model(**inputs)


def _time(function: Callable[[], None]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
