"""What TF32 and bfloat16 change: ``python -m tests.benchmarks.precision [--n-examples 20] [--device cuda]``.

Attributions of the project's own sentences and pairs (drawn with a fixed seed, predicted label, default convention) in
each precision are compared with those in float32: the largest difference of an entry as a share of the example's
largest entry, Spearman's ρ of its heads' maxima and of their sums over all examples (head importance), how many of its
ten largest entries stay among the ten, and the gaps, with layers left out whose change is under the floor.

On a card the products are the card's. A processor computes them here in float32 from factors that are rounded to TF32's
11 bits or bfloat16's 8, with bfloat16 results rounded as well: what a card does but for the order of additions. Other
operations (attention, activations) run in bfloat16 under autocast and, for TF32, in float32.
"""

import argparse
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn

from attattr_core import Attribution, Checkpoint, Settings, attribute_batch, load_checkpoint
from attattr_core.datasets import read_examples
from attattr_core.engine.precision import computing
from attattr_core.engine.products import multiply
from attattr_core.heads.comparison import compare_importances
from attattr_core.heads.results import HeadImportance
from tests.benchmarks.completeness import DATA, measure
from tests.benchmarks.engine import describe_machine

PRECISIONS = ("float32", "tf32", "bfloat16")
N_TOP = 10
_TF32: ContextVar[bool] = ContextVar("benchmark_tf32", default=False)


@dataclass(frozen=True)
class Effect:
    """What a precision changes against float32; the first three have a number for each example.

    Attributes:
        difference: Largest difference of an entry, as a share of the largest entry.
        maxima: Spearman's ρ of the heads' maxima.
        kept: Share of the ten largest entries that stay among the ten.
        importance: Spearman's ρ of the sums of the heads' maxima over all examples.
    """

    difference: np.ndarray
    maxima: np.ndarray
    kept: np.ndarray
    importance: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.precision", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--n-examples", type=int, default=20, metavar="N", help="of each checkpoint (default: %(default)s)"
    )
    parser.add_argument("--models", default="sst2,snli", help="embedded checkpoints (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu, where products are rounded, or cuda (default: cpu)")
    options = parser.parse_args(arguments)
    print(describe_machine(), flush=True)
    print(
        "| | Largest difference: median, largest | ρ of maxima: median, least | ρ of importance | Of ten largest kept "
    )
    print("| Gap: median, 95 %, largest | Complete | Nodes |\n|---|---:|---:|---:|---:|---:|---:|---:|")
    for name in options.models.split(","):
        checkpoint = load_checkpoint(name, device=options.device)
        exact: list[Attribution] = []
        for precision in PRECISIONS:
            found = attribute_all(checkpoint, choose_texts(name, options.n_examples), precision)
            exact = exact or found
            print(format_row(f"`{name}`, {precision}", compare(exact, found), found), flush=True)


def choose_texts(name: str, n_examples: int) -> list[tuple[str, str | None]]:
    """Draws examples of an embedded set."""
    examples = list(read_examples(DATA / f"{name}.tsv").examples)
    random.Random(0).shuffle(examples)
    return [(example.text, example.text_pair) for example in examples[:n_examples]]


def attribute_all(checkpoint: Checkpoint, texts: list[tuple[str, str | None]], precision: str) -> list[Attribution]:
    """Attributes texts in a precision, which a processor imitates."""
    with ExitStack() as stack:
        if checkpoint.device.type == "cpu":
            stack.enter_context(imitating_card())
        return attribute_batch(checkpoint, texts, settings=Settings(precision=precision))


def compare(exact: list[Attribution], found: list[Attribution]) -> Effect:
    """Compares attributions with those in float32, example by example."""
    pairs = list(zip(exact, found, strict=True))
    sums = [sum(result.head_maximum.astype(np.float64) for result in results) for results in (exact, found)]
    return Effect(
        difference=np.array([np.abs(a.attribution - b.attribution).max() / _find_largest(a) for a, b in pairs]),
        maxima=np.array([_correlate(a.head_maximum, b.head_maximum) for a, b in pairs]),
        kept=np.array([len(_find_top(a) & _find_top(b)) / N_TOP for a, b in pairs]),
        importance=_correlate(*sums),
    )


def _find_largest(result: Attribution) -> float:
    return float(np.abs(result.attribution).max())


def _find_top(result: Attribution) -> set[int]:
    return set(np.abs(result.attribution).ravel().argsort()[-N_TOP:].tolist())


def _correlate(one: np.ndarray, other: np.ndarray) -> float:
    return compare_importances(*(HeadImportance(values, method="attattr") for values in (one, other))).spearman


def format_row(name: str, effect: Effect, found: list[Attribution]) -> str:
    """Formats a row of the table."""
    gaps, nodes = measure(found)
    complete = np.concatenate([result.converged for result in found]).mean()
    cells = [
        name,
        f"{np.median(effect.difference):.2%}, {effect.difference.max():.1%}",
        f"{np.median(effect.maxima):.4f}, {effect.maxima.min():.3f}",
        f"{effect.importance:.4f}",
        f"{effect.kept.mean():.1%}",
        f"{np.median(gaps):.2%}, {np.quantile(gaps, 0.95):.2%}, {gaps.max():.1%}",
        f"{complete:.1%}",
        f"{nodes.mean():.1f}",
    ]
    return "| " + " | ".join(cells) + " |"


@contextmanager
def imitating_card() -> Iterator[None]:
    """Makes this processor's linear layers round as those of a card do, in the precision that is asked for."""
    with ExitStack() as stack:
        for name, value in (
            ("integration.check_precision", lambda precision, model: None),
            ("chunks.computing", _computing),
            ("replay.multiply", _multiply),
            ("passes.multiply", _multiply),
        ):
            stack.enter_context(patch(f"attattr_core.engine.{name}", value))
        yield


@contextmanager
def _computing(precision: str, device: torch.device) -> Iterator[None]:
    token = _TF32.set(precision == "tf32")
    try:
        with computing(precision, device):
            yield
    finally:
        _TF32.reset(token)


def _multiply(linear: nn.Linear, states: Tensor) -> Tensor:
    if type(linear) is not nn.Linear or not (_TF32.get() or torch.is_autocast_enabled("cpu")):
        return multiply(linear, states)
    if _TF32.get():
        return _Rounded.apply(states, linear, round_to_tf32)
    return _Rounded.apply(states, linear, _round_to_bfloat16).bfloat16()


class _Rounded(torch.autograd.Function):
    """A product of rounded factors, forward and backward, summed in float32."""

    @staticmethod
    def forward(ctx, states: Tensor, linear: nn.Linear, rounding: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.rounding, ctx.weight, ctx.dtype = rounding, rounding(linear.weight), states.dtype
        return nn.functional.linear(rounding(states), ctx.weight, linear.bias)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        return (ctx.rounding(gradient) @ ctx.weight).to(ctx.dtype), None, None


def round_to_tf32(values: Tensor) -> Tensor:
    """Rounds float32 to 10 bits after the leading one, to the nearest and then to the even one."""
    bits = values.float().contiguous().view(torch.int32)
    return ((bits + 0xFFF + ((bits >> 13) & 1)) & ~0x1FFF).view(torch.float32)


def _round_to_bfloat16(values: Tensor) -> Tensor:
    return values.bfloat16().float()


if __name__ == "__main__":
    main()
