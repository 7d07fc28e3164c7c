"""``heads``: how important each head is on labelled data."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attattr_core.cli.common import (
    DEVICE_HELP,
    MODEL_HELP,
    RULE_HELP,
    add_precision,
    check_suffix,
    load_model,
    open_examples,
)
from attattr_core.cli.engines import add_engine_options, check_engine, choose_place, hiring
from attattr_core.cli.outputs import beginning, check_outputs, name_partial
from attattr_core.datasets import DATA_HELP, EMBEDDED_SETS
from attattr_core.engine.quadrature import RULES
from attattr_core.errors import UserError
from attattr_core.files.whole_files import write_whole
from attattr_core.heads.results import METHODS, describe_cut
from attattr_core.settings import PRECISIONS

if TYPE_CHECKING:
    from attattr_core.checkpoints.checkpoint import Checkpoint
    from attattr_core.heads.results import HeadImportance

_PICTURES = (".png", ".svg", ".pdf")
_METHOD_HELP = (
    "attattr: the largest attribution entry of the gold label; taylor: gradient of the loss times the head's output; "
    "taylor-authors: of the logits, as the authors' script does; ablation: accuracy lost without the head; attention: "
    "the largest probability; random (default: %(default)s)"
)


def add_parser(subparsers: Any) -> None:
    """Adds the command's options."""
    parser = subparsers.add_parser(
        "heads",
        help="measure how important each head is on labelled data",
        description="Measures how important each attention head of a classifier is on labelled data. What is done is "
        "kept in FILE.json.partial until all is, so that a stopped job goes on with --resume; a file that holds the "
        "same measurement already is left as it is.",
    )
    files = parser.add_argument_group("files")
    files.add_argument("--model", required=True, help=MODEL_HELP)
    files.add_argument("--data", metavar="DATA", help=f"{DATA_HELP} (default for sst2 and snli: the embedded set)")
    files.add_argument("--output", required=True, type=Path, metavar="FILE.json", help="the file to write")
    files.add_argument("--picture", type=Path, metavar="FILE", help="also draw the grid, as .png, .svg or .pdf")
    work = parser.add_argument_group("measurement")
    work.add_argument("--method", choices=METHODS, default=METHODS[0], help=_METHOD_HELP)
    work.add_argument(
        "--n-examples", type=int, default=200, metavar="N", help="how many count at most (default: %(default)s)"
    )
    work.add_argument(
        "--seed", type=int, metavar="N", help="draw the examples at random (default: the first ones); seed of random"
    )
    work.add_argument("--rule", choices=RULES, help=f"attattr: {RULE_HELP}")
    work.add_argument("--n-steps", type=int, metavar="N", help="attattr: a fixed number of nodes (authors: 20, left)")
    add_precision(work)
    work.add_argument("--resume", action="store_true", help="go on from what a stopped or killed job has done")
    work.add_argument("--device", help=DEVICE_HELP)
    add_engine_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Measures and writes; the summary goes to standard error."""
    check_suffix(options.output, (".json",))
    if options.picture:
        check_suffix(options.picture, _PICTURES)
    check_outputs(filter(None, (options.output, options.picture)), (options.data, options.model))
    has_settings = options.n_steps is not None or options.rule or options.precision != PRECISIONS[0]
    if options.method != METHODS[0] and has_settings:
        names = "--rule, --n-steps and --precision"
        raise UserError(f"{names} belong to attattr, not to {options.method}: leave them out.")
    if not options.data and options.model not in EMBEDDED_SETS:
        raise UserError(f"There is no data set for {options.model!r}: give one with --data.")
    check_engine(options)

    from attattr_core.heads.importance_files import save_importance

    checkpoint = load_model(options.model, choose_place(options))
    importance, is_new = _find_or_measure(checkpoint, options)
    if is_new:
        save_importance(importance, options.output)
        name_partial(options.output).unlink(missing_ok=True)
    if options.picture:
        _draw(importance, options.picture)
    print(_summarise(importance) + ("" if is_new else f"; {options.output} held it already"), file=sys.stderr)
    if cut := describe_cut(importance.n_cut, importance.n_examples):
        print(cut, file=sys.stderr)


def _find_or_measure(checkpoint: "Checkpoint", options: argparse.Namespace) -> tuple["HeadImportance", bool]:
    """The importance, and whether it was measured just now."""
    from attattr_core.heads.importance import describe_importance, measure_importance
    from attattr_core.heads.importance_files import find_saved
    from attattr_core.settings import Settings

    examples = open_examples(options.data or options.model, checkpoint)
    wanted = {
        "n_examples": options.n_examples,
        "seed": options.seed,
        "settings": Settings(rule=options.rule, n_steps=options.n_steps, precision=options.precision),
    }
    saved = find_saved(options.output, describe_importance(checkpoint, examples, options.method, **wanted))
    if saved is not None:
        return saved, False
    partial = name_partial(options.output)
    with hiring(checkpoint, options) as workers:
        with beginning(options.output, resume=options.resume):
            steps = measure_importance(checkpoint, examples, options.method, **wanted, state=partial, workers=workers)
        return _follow(steps, is_resumed=partial.exists()), True


def _follow(steps: Any, *, is_resumed: bool) -> "HeadImportance":
    from tqdm import tqdm

    done = None
    with tqdm(unit="example", leave=False) as bar:
        try:
            for done in steps:
                if is_resumed and bar.n == 0:  # what an earlier job did says nothing about the time left
                    bar.initial = bar.n = done.n_done
                bar.total = done.n_total
                bar.update(done.n_done - bar.n)
                bar.refresh()
        except KeyboardInterrupt:
            steps.close()
            n_done, n_total = (done.n_done, f" of {done.n_total}") if done else (0, "")
            raise UserError(
                f"Stopped after {n_done}{n_total} examples: the same command with --resume goes on from there."
            ) from None
    return done.importance


def _draw(importance: "HeadImportance", path: Path) -> None:
    from attattr_core.heads.pictures_importance import draw_importance
    from attattr_core.pictures import render

    write_whole(path, render(draw_importance(importance), path.suffix[1:].lower()))


def _summarise(importance: "HeadImportance") -> str:
    n_layers, n_heads = importance.values.shape
    order = importance.list_order("most-first")[:5]
    first = ", ".join(f"{index // n_heads + 1}.{index % n_heads + 1}" for index in order)
    counted = f" on {importance.n_examples} examples" if importance.n_examples else ""
    return f"{importance.method}{counted}: {n_layers} layers of {n_heads} heads; most important (layer.head): {first}"
