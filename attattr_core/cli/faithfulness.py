"""``faithfulness``: how much a data set's predictions fall when the edges of trees are removed."""

import argparse
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attattr_core.cli.common import DEVICE_HELP, MODEL_HELP, add_precision, check_suffix, load_model
from attattr_core.cli.engines import add_engine_options, check_engine, choose_place, hiring
from attattr_core.cli.outputs import check_outputs
from attattr_core.datasets import DATA_HELP, EMBEDDED_SETS
from attattr_core.errors import UserError
from attattr_core.trees.tree import MODES

if TYPE_CHECKING:
    from attattr_core.checkpoints.checkpoint import Checkpoint
    from attattr_core.cluster.workers import Workers
    from attattr_core.datasets import ExampleSet
    from attattr_core.results import FaithfulnessFigures
    from attattr_core.trees.curves import DatasetFaithfulness


def add_parser(subparsers: Any) -> None:
    """Adds the command's options."""
    parser = subparsers.add_parser(
        "faithfulness",
        help="measure over a data set how much F falls when trees are removed",
        description="Removes the edges of attribution trees from a classifier's attention, example by example, and as "
        "many edges of largest attention and random ones; writes the mean curves with 95 % intervals, and how far the "
        "strongest edges of each layer reach.",
    )
    parser.add_argument("--model", required=True, help=MODEL_HELP)
    parser.add_argument("--data", metavar="DATA", help=f"{DATA_HELP} (default for sst2 and snli: the embedded set)")
    parser.add_argument(
        "--n-examples", type=int, default=100, metavar="N", help="examples drawn at random (default: %(default)s)"
    )
    parser.add_argument("--mode", choices=(*MODES, "both"), default="both", help="which trees (default: %(default)s)")
    parser.add_argument(
        "--n-seeds", type=int, default=3, metavar="N", help="random orders an example (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the choice and the random orders (default: %(default)s)"
    )
    add_precision(parser)
    parser.add_argument("--device", help=DEVICE_HELP)
    parser.add_argument("--output", required=True, type=Path, metavar="FILE.json", help="the file to write")
    add_engine_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Measures and writes; the summary goes to standard error."""
    check_suffix(options.output, (".json",))
    check_outputs((options.output,), (options.data, options.model))
    for name in ("n_examples", "n_seeds"):
        if getattr(options, name) < 1:
            raise UserError(f"--{name.replace('_', '-')} is {getattr(options, name)}: choose 1 or more.")
    if options.seed < 0:
        raise UserError(f"--seed is {options.seed}: choose 0 or more.")
    check_engine(options)

    from attattr_core.results import save_result

    examples = _choose_examples(options)
    texts = [(example.text, example.text_pair) for example in examples.examples]
    checkpoint = load_model(options.model, choose_place(options))
    modes = MODES if options.mode == "both" else (options.mode,)
    with hiring(checkpoint, options) as workers:
        measured = {mode: _measure(checkpoint, texts, mode, options, workers) for mode in modes}
    figures = _summarise(checkpoint, measured, examples.file_name, examples.sha256, options)
    save_result(figures, options.output)
    _print(figures)


def _choose_examples(options: argparse.Namespace) -> "ExampleSet":
    """Examples chosen at random."""
    from attattr_core.cli.progress import showing_download
    from attattr_core.datasets import open_data, pick_examples

    if not options.data and options.model not in EMBEDDED_SETS:
        raise UserError(f"There is no data set for {options.model!r}: give one with --data.")
    with showing_download() as on_progress:
        examples = open_data(options.data or options.model, on_progress=on_progress)
    return pick_examples(examples, options.n_examples, seed=options.seed)


def _measure(
    checkpoint: "Checkpoint", texts: list[Any], mode: str, options: argparse.Namespace, workers: "Workers | None"
) -> "DatasetFaithfulness":
    from tqdm import tqdm

    from attattr_core.settings import Settings
    from attattr_core.trees.faithfulness import measure_dataset

    wanted = {"n_seeds": options.n_seeds, "seed": options.seed, "settings": Settings(precision=options.precision)}
    steps = measure_dataset(checkpoint, texts, mode=mode, **wanted, workers=workers)
    *_, last = tqdm(steps, total=len(texts), unit="example", desc=f"{mode} trees", leave=False)
    return last


def _summarise(
    checkpoint: "Checkpoint",
    measured: dict[str, "DatasetFaithfulness"],
    data: str,
    digest: str,
    options: argparse.Namespace,
) -> "FaithfulnessFigures":
    from attattr_core.results import FaithfulnessFigures, summarise_distances, summarise_mode
    from attattr_core.settings import Settings

    first = next(iter(measured.values()))
    return FaithfulnessFigures(
        checkpoint=checkpoint.name,
        revision=checkpoint.revision,
        data=data,
        data_sha256=digest,
        n=len(first.n_edges),
        seed=options.seed,
        modes={mode: summarise_mode(result) for mode, result in measured.items()},
        receptive_field=summarise_distances(first.distances),
        settings=Settings(precision=options.precision),
        versions={"python": platform.python_version(), **{name: version(name) for name in ("torch", "transformers")}},
    )


def _print(figures: "FaithfulnessFigures") -> None:
    for mode, result in figures.modes.items():
        drops = {order: f"{c.mean:z.3f} ({c.low:z.3f} to {c.high:z.3f})" for order, c in result.whole.items()}
        print(
            f"{mode} trees, {result.n_edges_mean:.1f} edges in the mean: removing them lowers the probability by "
            f"{drops['tree']}, as many of largest attention by {drops['attention']}, random ones by {drops['random']}; "
            f"the tree wins in {result.wins['attention']:.0%} and {result.wins['random']:.0%} of {figures.n} examples",
            file=sys.stderr,
        )
