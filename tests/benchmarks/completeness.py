"""How complete the attributions of real sentences are: ``python -m tests.benchmarks.completeness [--n-examples 100]``.

For both embedded checkpoints and the project's own sentences (drawn with a fixed seed): |convergence delta| as a share
of |F(A) − F(A′)|, over all layers of all sentences, and the nodes that it took. Layers whose change is under the floor
of `attattr_core.settings.GAP_FLOOR` / tolerance count as complete and are left out of the shares.
"""

import argparse
import random
from pathlib import Path

import numpy as np

from attattr_core import Settings, attribute_batch, load_checkpoint
from attattr_core.datasets import read_examples
from attattr_core.settings import GAP_FLOOR

DATA = Path(__file__).resolve().parents[2] / "assets" / "data"
CONVENTIONS = {
    "default (1 %)": Settings(),
    "4 Gauss–Legendre nodes": Settings(n_steps=4),
    "8 Gauss–Legendre nodes": Settings(n_steps=8),
    "20 left nodes": Settings(rule="left", n_steps=20),
    "64 left nodes (the authors')": Settings(rule="left", n_steps=64),
}


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.completeness", description=__doc__.split("\n")[0])
    parser.add_argument("--n-examples", type=int, default=100, metavar="N", help="sentences a checkpoint")
    n_examples = parser.parse_args().n_examples
    print("| Checkpoint | Convention | Median gap | 95 % of layers | Largest gap | Within 1 % | Nodes a layer |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for name in ("sst2", "snli"):
        checkpoint = load_checkpoint(name)
        examples = list(read_examples(DATA / f"{name}.tsv").examples)
        random.Random(0).shuffle(examples)
        texts = [(example.text, example.text_pair) for example in examples[:n_examples]]
        for convention, settings in CONVENTIONS.items():
            gaps, nodes = measure(attribute_batch(checkpoint, texts, settings=settings))
            print(
                f"| {name} | {convention} | {np.median(gaps):.3%} | {np.quantile(gaps, 0.95):.2%} | {gaps.max():.1%} "
                f"| {(gaps <= 0.01).mean():.1%} | {nodes.mean():.1f} |"
            )


def measure(results: list) -> tuple[np.ndarray, np.ndarray]:
    """Relative gaps of the layers that change F, and nodes of all layers."""
    changes = np.abs(np.concatenate([result.output - result.baseline_output for result in results]))
    gaps = np.abs(np.concatenate([result.convergence_delta for result in results]))
    matter = changes > GAP_FLOOR / 0.01
    return gaps[matter] / changes[matter], np.concatenate([result.n_nodes for result in results])


if __name__ == "__main__":
    main()
