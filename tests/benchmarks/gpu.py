"""What a card does: ``python -m tests.benchmarks.gpu [--device cuda:1] [--tokens 128] [--batches 1,8,32] [--quick]``.

A BERT-base classifier with random weights (twice the usual size, so that layers take 4 to 9 nodes) attributes texts of
T tokens at the default tolerance of 1 %, in each precision that the device has, from the text to the result in memory.

* Share of the rate: the method's floating-point operations at the nodes used (see `count_work`) over the time, as a
  share of the matrix products' own rate, measured in this run on the model's shapes in the same precision.
* Memory: the peak of what PyTorch allocated, beside `attattr_core.engine.chunks.estimate_whole`.
* Split: the clean pass and gradients at α = 1, the nodes, the way of the maps to the host; the rest is Python's.
* Importance: `measure_importance` by attribution, as many examples at a time.

Before that, attributions of a small random model are compared with those of the processor in float64. The aims are 40 %
of the rate, and 100 examples a second on an H100.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from attattr_core import Attribution, Checkpoint, Settings, attribute_batch
from attattr_core.datasets import Example, ExampleSet
from attattr_core.engine.batches import bucket_examples, prepare_baselines, record_batch
from attattr_core.engine.chunks import estimate_whole
from attattr_core.engine.devices import choose_device, describe_device
from attattr_core.engine.encoding import encode
from attattr_core.engine.integration import Integrator
from attattr_core.engine.precision import check_precision, computing
from attattr_core.engine.replay import instrumented
from attattr_core.errors import UserError
from attattr_core.heads.importance import measure_importance
from attattr_core.settings import PRECISIONS
from tests.benchmarks.floor import count_operations
from tests.benchmarks.models import STEEP_RANGE, build_bert
from tests.unit.random_models import build_model, build_tokenizer

WORDS = ("the", "film", "is", "not", "very", "good", "bad", "dull", "warm", "and", "two", "men", "music", "park")
QUICK = {"n_layers": 2, "n_heads": 2, "hidden": 32}


@dataclass(frozen=True)
class Speed:
    """What was measured of one precision and batch.

    Attributes:
        seconds: From the texts to the results.
        n_nodes: Nodes of a layer in the mean.
        gap: The largest |convergence delta| as a share of |F(A) − F(A′)|.
        peak: Bytes at the most; 0 where the device does not tell.
        stated: Bytes that the model of memory says.
        split: Seconds of the clean pass, the nodes and the transfers.
        importance: Seconds of the importance of the same examples.
    """

    seconds: float
    n_nodes: float
    gap: float
    peak: int
    stated: int
    split: tuple[float, float, float]
    importance: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the device and three Markdown tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.gpu", description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, mps or cpu (default: %(default)s)")
    parser.add_argument("--tokens", type=int, default=128, metavar="T", help="of each text (default: %(default)s)")
    parser.add_argument("--batches", default="1,8,32", help="numbers of examples (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="of which the median counts")
    parser.add_argument("--quick", action="store_true", help="a tiny model, to see that everything runs")
    options = parser.parse_args(arguments)
    try:
        device = choose_device(options.device)
    except UserError as error:
        parser.error(str(error))
    tokens, batches = (16, [1, 2]) if options.quick else (options.tokens, [int(n) for n in options.batches.split(",")])
    print(f"{describe_device(device).removesuffix(', float32')}; PyTorch {torch.__version__}", flush=True)
    model = build_bert(**QUICK if options.quick else {}, scale=STEEP_RANGE).to(device)
    checkpoint = wrap(model, tokens)
    precisions = [name for name in PRECISIONS if _has(name, checkpoint)]
    print_equality(device, precisions)
    rates = {name: measure_rate(checkpoint, name, n_rows=256 if options.quick else 16384) for name in precisions}
    print_speed(checkpoint, precisions, batches, tokens, rates, 1 if options.quick else options.rounds)
    if device.type == "cuda":
        print_transfers(checkpoint, max(batches), tokens)


def wrap(model: torch.nn.Module, n_tokens: int) -> Checkpoint:
    """Gives a model a tokenizer that takes texts of so many tokens."""
    tokenizer = build_tokenizer()
    tokenizer.model_max_length = n_tokens
    return Checkpoint.from_model(model, tokenizer, name="random BERT")


def _has(precision: str, checkpoint: Checkpoint) -> bool:
    try:
        check_precision(precision, checkpoint.model)
    except UserError as error:
        print(f"{precision}: {error}")
        return False
    return True


def print_equality(device: torch.device, precisions: list[str]) -> None:
    """Compares attributions of a small model with those of the processor in float64."""
    texts = write_texts(4, 14)
    exact = attribute_batch(wrap(build_model("bert"), 64), texts, settings=_fix("float32"))
    print("\n| Against the processor in float64 | Largest difference of an entry | as a share of the largest entry |")
    print("|---|---:|---:|")
    largest = max(np.abs(result.attribution).max() for result in exact)
    for precision in precisions:
        model = build_model("bert", dtype=torch.float32).to(device)
        found = attribute_batch(wrap(model, 64), texts, settings=_fix(precision))
        pairs = zip(exact, found, strict=True)
        difference = max(np.abs(one.attribution - other.attribution).max() for one, other in pairs)
        print(f"| {precision} | {difference:.1e} | {difference / largest:.1e} |", flush=True)


def _fix(precision: str) -> Settings:
    return Settings(rule="gauss-lobatto", n_steps=5, precision=precision)


def write_texts(n_examples: int, n_tokens: int) -> list[str]:
    """Writes texts of so many tokens, two of which are special."""
    generator = np.random.default_rng(0)
    return [" ".join(generator.choice(WORDS, n_tokens - 2)) for _ in range(n_examples)]


def measure_rate(checkpoint: Checkpoint, precision: str, *, n_rows: int) -> float:
    """Measures matrix products of the model's shapes, in operations a second; the best shape counts."""
    config, device = checkpoint.model.config, checkpoint.device
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    sizes = (config.hidden_size, config.intermediate_size)
    rates = []
    for n_in, n_out in (sizes, sizes[::-1], (sizes[0], sizes[0])):
        states, weight = (torch.randn(n, n_in, device=device, dtype=dtype) for n in (n_rows, n_out))
        with torch.no_grad(), computing(precision, device):
            seconds = measure_time(lambda a=states, b=weight: [a @ b.t() for _ in range(8)], device, 5) / 8
        rates.append(2 * n_rows * n_in * n_out / seconds)
    return max(rates)


def measure_time(run: Callable[[], object], device: torch.device, n_rounds: int) -> float:
    """The median time of a function, the device's own work included, after one round that warms up."""
    run()
    times = []
    for _ in range(n_rounds):
        start = read_clock(device)
        run()
        times.append(read_clock(device) - start)
    return statistics.median(times)


def read_clock(device: torch.device) -> float:
    """The time, in seconds, at which the device has done all that it was given."""
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()
    return time.perf_counter()


def print_speed(
    checkpoint: Checkpoint,
    precisions: list[str],
    batches: list[int],
    n_tokens: int,
    rates: dict[str, float],
    n_rounds: int,
) -> None:
    """Prints a row for each precision and batch."""
    print("\n| Matrix products | TFLOP/s |\n|---|---:|")
    for name, rate in rates.items():
        print(f"| {name} | {rate / 1e12:.3g} |")
    print(f"\n| T = {n_tokens} | Examples | Examples/s | Share of the rate | Nodes | Largest gap ", end="")
    print("| Peak memory | Stated | Clean, nodes, transfers | Importance, examples/s |")
    print("|---" + "|---:" * 9 + "|")
    for precision in precisions:
        for n_examples in batches:
            speed = measure(checkpoint, write_texts(n_examples, n_tokens), Settings(precision=precision), n_rounds)
            n_operations = n_examples * count_work(checkpoint.model, n_tokens, speed.n_nodes, precision)
            total = sum(speed.split)
            cells = [
                precision,
                str(n_examples),
                f"{n_examples / speed.seconds:.1f}",
                f"{n_operations / speed.seconds / rates[precision]:.0%}",
                f"{speed.n_nodes:.1f}",
                f"{speed.gap:.2%}",
                f"{speed.peak / 1e9:.2f} GB" if speed.peak else "not told",
                f"{speed.stated / 1e9:.2f} GB",
                ", ".join(f"{part / total:.0%}" for part in speed.split),
                f"{n_examples / speed.importance:.1f}",
            ]
            print("| " + " | ".join(cells) + " |", flush=True)


def count_work(model: torch.nn.Module, n_tokens: int, n_nodes: float, precision: str) -> float:
    """Counts the floating-point operations of an example (`tests.benchmarks.floor`, one row in the top layer).

    The node α = 1, for which all layers share a pass, is left out, and so is F(A′) in float32, where a node gives it;
    elsewhere it is a pass of its own in float32, which is counted like the others.
    """
    none, one = (count_operations(model, n_tokens, n, first_token_only=True) for n in (0, 1))
    return none + (one - none) * (n_nodes - (1.5 if precision == "float32" else 1))  # F(A′) is half of a node


def measure(checkpoint: Checkpoint, texts: list[str], settings: Settings, n_rounds: int) -> Speed:
    """Measures one batch in one precision."""
    device, found = checkpoint.device, list[Attribution]()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)

    def attribute() -> None:
        found[:] = attribute_batch(checkpoint, texts, settings=settings)

    seconds = measure_time(attribute, device, n_rounds)
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
    examples = tuple(Example(text, None, result.target) for text, result in zip(texts, found, strict=True))
    data = ExampleSet(examples, found[0].labels, (), "random words", "", 0)
    together = bucket_examples(checkpoint, [encode(checkpoint, text) for text in texts])
    n_nodes = float(np.mean([result.n_nodes for result in found]))
    gaps = [result.convergence_delta / (result.output - result.baseline_output) for result in found]
    return Speed(
        seconds=seconds,
        n_nodes=n_nodes,
        gap=float(np.abs(gaps).max()),
        peak=peak,
        stated=estimate_whole(checkpoint.model, len(found[0].tokens), max(map(len, together)), n_nodes=4),
        split=split_time(checkpoint, texts, settings),
        importance=measure_time(
            lambda: list(measure_importance(checkpoint, data, n_examples=None, settings=settings)), device, n_rounds
        ),
    )


def split_time(checkpoint: Checkpoint, texts: list[str], settings: Settings) -> tuple[float, float, float]:
    """Seconds of the clean pass and the gradients at α = 1, of the nodes, and of bringing all maps to the host."""
    encoded, device = [encode(checkpoint, text) for text in texts], checkpoint.device
    nodes = transfers = 0.0
    with instrumented(checkpoint.model):
        start = read_clock(device)
        clean = record_batch(checkpoint, encoded)
        baselines = prepare_baselines(checkpoint, clean, encoded, settings.baseline)
        integrator = Integrator(checkpoint.model, clean, clean.logits.argmax(-1), settings)
        ready = last = read_clock(device)
        for layer, integral in integrator.integrate(range(len(clean.layers)), baselines):
            done = read_clock(device)
            integral.attribution.cpu(), clean.layers[layer].attention.cpu()
            nodes, transfers, last = nodes + done - last, transfers + read_clock(device) - done, read_clock(device)
    return ready - start, nodes, transfers


def print_transfers(checkpoint: Checkpoint, n_examples: int, n_tokens: int) -> None:
    """Says whether pinned memory would bring a layer's maps to the host sooner."""
    shape = (n_examples, checkpoint.model.config.num_attention_heads, n_tokens, n_tokens)
    maps, device = torch.rand(shape, device=checkpoint.device), checkpoint.device
    kept = torch.empty(shape, pin_memory=True)
    ways = {
        "as it is": maps.cpu,
        "into pinned memory that is kept": lambda: kept.copy_(maps, non_blocking=True),
        "into pinned memory, then copied": lambda: kept.copy_(maps).clone(),
    }
    print(f"\n| A layer's maps of {n_examples} examples to the host | ms |\n|---|---:|")
    for name, run in ways.items():
        print(f"| {name} | {measure_time(run, device, 20) * 1e3:.2f} |")


if __name__ == "__main__":
    main()
