"""How cost grows with tokens, layers and examples, beside what the arithmetic predicts.

    python -m tests.benchmarks.growth --panels tokens --json growth.json
    python -m tests.benchmarks.growth --panels layers,examples --json growth.json --picture assets/pictures/growth.png

A panel each, on the CPU with all of torch's threads, float32:

* tokens: attribution of one text of T tokens by a random BERT of 6 layers, 384 wide, with five Gauss–Lobatto nodes;
* layers: the same with 32 tokens and 2 to 12 layers;
* examples: head importance of the checkpoint `sst2` on 10 to 1,000 of the project's own sentences, the 260 of them
  again and again, with two nodes.

Points take turns, and the shortest of several times counts, for whatever else the machine does only adds to it. Printed
and drawn are ratios to the first point: of seconds, and of the operations that the method needs (see
`tests.benchmarks.operations`). Panels that FILE.json already has are kept, and drawn too. On a busy machine
``--threads 1 --processor`` is the steadier measure.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from matplotlib.figure import Figure
from transformers import PreTrainedModel

from attattr_core import Settings, load_checkpoint
from attattr_core.datasets import read_examples
from attattr_core.engine.encoding import encode
from attattr_core.files.whole_files import write_whole
from attattr_core.heads.importance import measure_importance
from attattr_core.pictures import render
from tests.benchmarks.contestants import Ours
from tests.benchmarks.engine import describe_machine
from tests.benchmarks.heads import DATA
from tests.benchmarks.models import build_bert
from tests.benchmarks.operations import count_attribution

TEXT_SETTINGS, DATA_SETTINGS = (Settings(rule="gauss-lobatto", n_steps=n) for n in (5, 2))
SIZES = {
    "tokens": (16, 32, 64, 128, 256, 512),
    "layers": (2, 3, 4, 6, 8, 12),
    "examples": (10, 30, 100, 300, 1000),
}
_SMALL = {"tokens": (4, 8), "layers": (1, 2), "examples": (1, 2)}
_N_TOKENS, _N_LAYERS = 32, 6  # of the panels in which they stay
_N_ROUNDS = {"tokens": 2, "layers": 4, "examples": 1}
_COLOURS = {"measured": "#b4540a", "arithmetic": "#6b7280"}


@dataclass(frozen=True)
class Panel:
    """What was measured: seconds, and operations, of each size."""

    sizes: list[int]
    seconds: list[float]
    operations: list[int]

    @property
    def measured(self) -> list[float]:
        """Seconds relative to the first size."""
        return [one / self.seconds[0] for one in self.seconds]

    @property
    def predicted(self) -> list[float]:
        """Operations relative to the first size."""
        return [one / self.operations[0] for one in self.operations]


#: What is done at one size, and its operations.
Point = tuple[Callable[[], object], int]


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a Markdown table a panel."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.growth", description=__doc__.split("\n")[0])
    parser.add_argument("--panels", default=",".join(SIZES), help="some of them (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="torch threads (default: torch's own choice)")
    parser.add_argument("--processor", action="store_true", help="count the processor's time, not the clock's")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures in FILE")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw all panels, as .png, .svg or .pdf")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that everything runs")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    print(describe_machine(), flush=True)
    panels = _read(options.json)
    for name in options.panels.split(","):
        clock = time.process_time if options.processor else time.perf_counter
        panels[name] = measure(name, _SMALL[name] if options.quick else SIZES[name], _N_ROUNDS[name], clock=clock)
        print(f"\n{format_panel(name, panels[name])}", flush=True)
        if options.json:
            content = {name: asdict(panel) for name, panel in panels.items()}
            write_whole(options.json, json.dumps(content, indent=2) + "\n")
    if options.picture:
        write_whole(options.picture, render(draw(panels), options.picture.suffix[1:]))


def _read(path: Path | None) -> dict[str, Panel]:
    if path is None or not path.exists():
        return {}
    return {name: Panel(**panel) for name, panel in json.loads(path.read_text(encoding="utf-8")).items()}


def measure(name: str, sizes: Sequence[int], n_rounds: int, *, clock: Callable[[], float] = time.perf_counter) -> Panel:
    """Measures a panel; its sizes take turns."""
    points = _build_examples(sizes) if name == "examples" else [_build_random(name, size) for size in sizes]
    seconds = [[] for _ in points]
    points[0][0]()  # warms up
    for _ in range(n_rounds):
        for taken, (run, _) in zip(seconds, points, strict=True):
            start = clock()
            run()
            taken.append(clock() - start)
    return Panel(list(sizes), [min(taken) for taken in seconds], [counted for _, counted in points])


def _build_random(name: str, size: int) -> Point:
    """Attribution of all layers of a random model."""
    n_tokens, n_layers = (size, _N_LAYERS) if name == "tokens" else (_N_TOKENS, size)
    model = build_bert(n_layers=n_layers, hidden=384)
    ids = torch.randint(5, model.config.vocab_size, (1, n_tokens), generator=torch.Generator().manual_seed(0))
    ours = Ours(model, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, TEXT_SETTINGS)

    def run() -> None:
        ours.start()
        for _ in ours.attribute(range(n_layers)):
            pass

    return run, _count(model, n_tokens, TEXT_SETTINGS)


def _build_examples(sizes: Sequence[int]) -> list[Point]:
    """Head importance of so many examples."""
    checkpoint = load_checkpoint("sst2", device="cpu")
    examples = read_examples(DATA, labels=checkpoint.labels)
    repeated = (examples.examples * (max(sizes) // len(examples) + 1))[: max(sizes)]
    counted = [_count(checkpoint.model, len(encode(checkpoint, one.text).tokens), DATA_SETTINGS) for one in repeated]

    def run(size: int) -> None:
        first = replace(examples, examples=repeated[:size], kinds=())
        *_, _ = measure_importance(checkpoint, first, n_examples=None, settings=DATA_SETTINGS)

    return [(lambda size=size: run(size), sum(counted[:size])) for size in sizes]


def _count(model: PreTrainedModel, n_tokens: int, settings: Settings) -> int:
    return count_attribution(model, n_tokens, [settings.n_steps] * model.config.num_hidden_layers, settings)


def format_panel(name: str, panel: Panel) -> str:
    """Formats a panel as a Markdown table."""
    lines = [f"| {name} | seconds, relative | arithmetic, relative |", "|---:|---:|---:|"]
    rows = zip(panel.sizes, panel.measured, panel.predicted, strict=True)
    return "\n".join([*lines, *(f"| {size:,} | {seconds:.2f} | {counted:.2f} |" for size, seconds, counted in rows)])


def draw(panels: dict[str, Panel]) -> Figure:
    """Draws the panels side by side on logarithmic axes."""
    figure = Figure(figsize=(2.4 * len(panels) + 0.3, 2.4), layout="constrained")
    for axes, (name, panel) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        axes.loglog(panel.sizes, panel.predicted, "--", color=_COLOURS["arithmetic"], linewidth=1.2)
        axes.loglog(panel.sizes, panel.measured, "o-", color=_COLOURS["measured"], linewidth=1.2, markersize=3)
        axes.set_xticks(panel.sizes, [f"{size:,}" for size in panel.sizes], fontsize=7)
        axes.minorticks_off()
        axes.tick_params(axis="y", labelsize=7)
        axes.set_title(name, fontsize=9)
        axes.grid(color="#e5e7eb", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    first = figure.axes[0]
    first.set_ylabel("relative to the first point", fontsize=8)
    first.legend(first.lines[::-1], ["seconds", "arithmetic"], fontsize=7, frameon=False)
    return figure


if __name__ == "__main__":
    main()
