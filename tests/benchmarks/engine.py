"""Benchmark of the engine against the authors' procedure, captum and the arithmetic itself.

    pip install -r tests/benchmarks/requirements.txt
    python -m tests.benchmarks.engine [--size base|steep|embedded] [--lengths 24,128] [--json FILE] [--quick]

All contestants run in one process on the same model and example, float32, on the CPU with all of torch's threads. They
take turns, six layers at a time, so that what else the machine does meets all of them; a ratio is the time of all
layers of one over that of the other in the same round, and the median over rounds is printed. At equal nodes their
results are compared entry by entry; where they differ there is no table. A default run takes half an hour on two cores,
``--quick`` seconds. On a busy machine ``--threads 1`` gives steadier ratios: threads wait for the one that was held up.

Equal nodes: 20 left nodes, the authors' own as one batch. To tolerance: the engine's default (adaptive Gauss–Lobatto,
1 %) against the authors' 64 left nodes, 16 at a time, and captum's default (50 Gauss–Legendre nodes); on 3 layers only,
which is unkind to what we do once for all layers, the 64 nodes with a full forward pass for every node.
A "miss" is |convergence delta| as a share of |F(A) − F(A′)|. Share of the floor: see `tests.benchmarks.floor`; the
rate of the matrix product is measured before and after each of the engine's own turns, and the better one counts.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from transformers import PreTrainedModel

from attattr_core.settings import Settings
from tests.benchmarks.contestants import Authors, Captum, Ours
from tests.benchmarks.floor import count_operations, measure_rates
from tests.benchmarks.models import SIZES, prepare

EQUAL_NODES, AUTHORS_NODES, CAPTUM_NODES = 20, 64, 50
LARGEST_DIFFERENCE = 2e-5  # of attributions between contestants at equal nodes and rule, in units of F, in float32
BLOCK = 6  # layers of a turn
_MAX_ROUNDS, _SECONDS_A_CASE = 5, 45.0
Contestant = Ours | Authors | Captum


@dataclass(frozen=True)
class Round:
    """One turn of every contestant: seconds of all layers, each layer's total, and how far the maps are apart.

    ``blocks`` holds the layers of each of our own turns, its seconds, and the rates of a matrix product beside it.
    """

    seconds: dict[str, float]
    totals: dict[str, dict[int, float]]
    largest_difference: float
    blocks: tuple[tuple[tuple[int, ...], float, dict[str, float]], ...] = ()


@dataclass(frozen=True)
class Case:
    """What was measured for one model and length; ratios are theirs over ours, shares are fractions."""

    model: str
    n_tokens: int
    largest_difference: float
    ours_equal: float
    authors_ratio: float
    authors_kernels_ratio: float
    authors_full_ratio: float
    captum_ratio: float
    ours_tolerance: float
    authors_64_ratio: float
    authors_64_full_ratio: float
    captum_50_ratio: float
    ours_nodes: dict[int, int]
    misses: dict[str, tuple[float, float]]
    rates: dict[str, float]
    floor_share: dict[str, float]
    n_rounds: int


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark and prints its table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.engine", description=__doc__.split("\n")[0])
    parser.add_argument("--size", choices=SIZES, help="one model only (default: all)")
    parser.add_argument("--lengths", default="24,128", help="numbers of tokens, separated by commas")
    parser.add_argument("--threads", type=int, help="torch threads (default: torch's own choice)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")
    parser.add_argument("--quick", action="store_true", help="one short case, to see that everything runs")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    sizes = [options.size] if options.size else ["embedded"] if options.quick else list(SIZES)
    lengths = [24] if options.quick else [int(length) for length in options.lengths.split(",")]
    print(describe_machine(), flush=True)
    cases = []
    for size in sizes:
        for n_tokens in lengths:
            cases.append(measure(size, n_tokens, max_rounds=1 if options.quick else _MAX_ROUNDS))
            print(f"  {cases[-1].model}, {n_tokens} tokens: done, {cases[-1].n_rounds} round(s)", flush=True)
    print("\n" + format_table(cases))
    if options.json:
        content = {"machine": describe_machine(), "cases": [asdict(case) for case in cases]}
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def measure(size: str, n_tokens: int, *, max_rounds: int = _MAX_ROUNDS) -> Case:
    """Measures one model at one length."""
    model, inputs, words = prepare(size, n_tokens)
    layers = range(model.config.num_hidden_layers)
    few = sorted({layers[0], layers[len(layers) // 2], layers[-1]})
    left = Settings(rule="left", n_steps=EQUAL_NODES)
    ours, adaptive = Ours(model, inputs, left), Ours(model, inputs, Settings())
    equal = {
        "ours": ours,
        "authors": Authors(model, inputs, EQUAL_NODES, plain=True),
        "authors_kernels": Authors(model, inputs, EQUAL_NODES, plain=False),
        "authors_full": Authors(model, inputs, EQUAL_NODES, plain=True, full=True),
        "captum": Captum(model, inputs, EQUAL_NODES, "riemann_left"),
    }
    defaults = {
        "ours": adaptive,
        "authors": Authors(model, inputs, AUTHORS_NODES, plain=True),
        "captum": Captum(model, inputs, CAPTUM_NODES, "gausslegendre"),
    }
    slow = {"ours": adaptive, "authors_full": Authors(model, inputs, AUTHORS_NODES, plain=True, full=True)}
    compare(equal, [layers[-1]])  # warms up, and refuses to go on for nothing
    measure_rate = partial(measure_rates, model, n_tokens, EQUAL_NODES, n_runs=2)
    at_equal = _repeat(lambda: run_round(equal, layers, measure_rate), max_rounds)
    difference = _check(max(turn.largest_difference for turn in at_equal))
    to_tolerance = _repeat(lambda: run_round(defaults, layers), max_rounds)
    to_tolerance_slow = _repeat(lambda: run_round(slow, few), max_rounds)
    blocks = [block for turn in at_equal for block in turn.blocks]
    libraries = list(blocks[0][2])
    return Case(
        model=words,
        n_tokens=n_tokens,
        largest_difference=difference,
        ours_equal=_median(at_equal, "ours"),
        authors_ratio=_compare_times(at_equal, "authors"),
        authors_kernels_ratio=_compare_times(at_equal, "authors_kernels"),
        authors_full_ratio=_compare_times(at_equal, "authors_full"),
        captum_ratio=_compare_times(at_equal, "captum"),
        ours_tolerance=_median(to_tolerance, "ours"),
        authors_64_ratio=_compare_times(to_tolerance, "authors"),
        authors_64_full_ratio=_compare_times(to_tolerance_slow, "authors_full"),
        captum_50_ratio=_compare_times(to_tolerance, "captum"),
        ours_nodes=adaptive.n_nodes,
        misses={
            "ours": find_misses(adaptive, to_tolerance[-1].totals["ours"]),
            "authors_64": find_misses(adaptive, to_tolerance[-1].totals["authors"]),
            "captum_50": find_misses(adaptive, to_tolerance[-1].totals["captum"]),
        },
        rates={name: statistics.median(rates[name] for *_, rates in blocks) for name in libraries},
        floor_share={
            f"{name}, {'first token' if first else 'all rows'}": statistics.median(
                _find_share(model, n_tokens, turn, name, first_token_only=first) for turn in at_equal
            )
            for name in libraries
            for first in (False, True)
        },
        n_rounds=len(at_equal),
    )


def compare(contestants: dict[str, Contestant], layers: Iterable[int]) -> float:
    """Finds the largest difference of any entry between the first contestant and the others.

    Raises:
        RuntimeError: When they do not compute the same thing.
    """
    largest = 0.0
    for contestant in contestants.values():
        contestant.start()
    layers = sorted(layers, reverse=True)  # the order of the engine
    for maps in zip(*(contestant.attribute(layers) for contestant in contestants.values()), strict=True):
        first, *others = maps
        largest = max(largest, *(float((first - other).abs().max()) for other in others))
    return _check(largest)


def _check(largest: float) -> float:
    if not largest <= LARGEST_DIFFERENCE:
        raise RuntimeError(f"The contestants differ by {largest:.1e}: their times must not be compared.")
    return largest


def _find_share(model: PreTrainedModel, n_tokens: int, turn: Round, library: str, *, first_token_only: bool) -> float:
    """The time that the layers' operations would take at a library's rate, as a share of the time that they took."""
    floor = sum(
        count_operations(model, n_tokens, EQUAL_NODES, first_token_only=first_token_only, layers=layers)
        / rates[library]
        for layers, _, rates in turn.blocks
    )
    return floor / sum(seconds for _, seconds, _ in turn.blocks)


def run_round(
    contestants: dict[str, Contestant],
    layers: Iterable[int],
    measure_rate: Callable[[], dict[str, float]] | None = None,
) -> Round:
    """Lets the contestants take turns, some layers at a time from the top; who begins changes from turn to turn.

    With ``measure_rate`` the rate of a matrix product is measured on either side of our own turns.
    """
    seconds, totals = dict.fromkeys(contestants, 0.0), {name: {} for name in contestants}
    difference, blocks = 0.0, []
    for name, contestant in contestants.items():
        seconds[name] += _time(contestant.start)[0]
    order = sorted(layers, reverse=True)
    for turn, block in enumerate(order[first : first + BLOCK] for first in range(0, len(order), BLOCK)):
        names, maps = list(contestants), {}
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            before = measure_rate() if measure_rate and name == "ours" else {}
            taken, maps[name] = _time(lambda name=name, block=block: list(contestants[name].attribute(block)))
            if before:
                after = measure_rate()
                blocks.append((tuple(block), taken, {key: max(before[key], after[key]) for key in before}))
            seconds[name] += taken
            totals[name].update(zip(block, (float(own.double().sum()) for own in maps[name]), strict=True))
        for own in maps.values():
            for one, other in zip(maps["ours"], own, strict=True):
                if one.shape == other.shape:  # not of another padding
                    difference = max(difference, float((one - other).abs().max()))
    return Round(seconds, totals, difference, tuple(blocks))


def _time(function: Callable) -> tuple[float, object]:
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def _repeat(run: Callable[[], Round], max_rounds: int) -> list[Round]:
    rounds, end = [run()], time.perf_counter() + _SECONDS_A_CASE / 2
    spent = sum(rounds[0].seconds.values())
    while len(rounds) < max_rounds and time.perf_counter() + spent < end:
        rounds.append(run())
    return rounds


def _median(rounds: list[Round], name: str) -> float:
    return statistics.median(turn.seconds[name] for turn in rounds)


def _compare_times(rounds: list[Round], name: str) -> float:
    return statistics.median(turn.seconds[name] / turn.seconds["ours"] for turn in rounds)


def find_misses(ours: Ours, totals: dict[int, float]) -> tuple[float, float]:
    """The median and the largest |convergence delta| over layers, as a share of |F(A) − F(A′)|."""
    changes = {layer: ours.output - ours.baseline_output[layer] for layer in totals}
    misses = [abs(total - changes[layer]) / abs(changes[layer]) for layer, total in totals.items()]
    return statistics.median(misses), max(misses)


def describe_machine() -> str:
    """Describes the machine in one line."""
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    load = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    return (
        f"{name}, {os.cpu_count()} cores, {torch.get_num_threads()} threads{load}; PyTorch {torch.__version__}, "
        f"Python {platform.python_version()}, float32"
    )


def format_table(cases: Sequence[Case]) -> str:
    """Formats the cases as a Markdown table, one column a case."""

    def percent(pair: tuple[float, float]) -> str:
        return f"{pair[0]:.2%} / {pair[1]:.2%}"

    rows: list[tuple[str, Callable[[Case], str]]] = [
        (f"{EQUAL_NODES} left nodes, all layers", lambda case: f"{case.ours_equal:.2f} s"),
        ("… the authors' code takes", lambda case: f"{case.authors_ratio:.2f} ×"),
        ("… with a full forward pass for every node", lambda case: f"{case.authors_full_ratio:.2f} ×"),
        ("… their procedure on PyTorch's kernels", lambda case: f"{case.authors_kernels_ratio:.2f} ×"),
        ("… captum", lambda case: f"{case.captum_ratio:.2f} ×"),
        ("largest difference of an entry", lambda case: f"{case.largest_difference:.0e}"),
        ("to 1 %, all layers", lambda case: f"{case.ours_tolerance:.2f} s"),
        ("… the authors' 64 left nodes take", lambda case: f"{case.authors_64_ratio:.1f} ×"),
        ("… with a full forward pass for every node (3 layers)", lambda case: f"{case.authors_64_full_ratio:.1f} ×"),
        ("… captum's default", lambda case: f"{case.captum_50_ratio:.1f} ×"),
        ("miss of F(A) − F(A′), median / max: ours", lambda case: percent(case.misses["ours"])),
        ("… the authors' 64 left nodes", lambda case: percent(case.misses["authors_64"])),
        ("… captum's default", lambda case: percent(case.misses["captum_50"])),
        *(
            (f"share of the floor ({name})", lambda case, name=name: f"{case.floor_share[name]:.0%}")
            for name in cases[0].floor_share
        ),
        *(
            (f"rate of {name}", lambda case, name=name: f"{case.rates[name] / 1e9:.0f} GFLOP/s")
            for name in cases[0].rates
        ),
    ]
    header = [""] + [f"{case.model}, T = {case.n_tokens}" for case in cases]
    lines = [header, ["---"] + ["---:"] * len(cases)]
    lines += [[name, *(write(case) for case in cases)] for name, write in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
