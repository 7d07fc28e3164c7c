"""``prune``: how good a classifier is as more and more of its heads are switched off."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attattr_core.cli.common import DEVICE_HELP, MODEL_HELP, check_suffix, load_model, open_examples
from attattr_core.cli.engines import add_engine_options, check_engine, choose_place, hiring
from attattr_core.cli.outputs import beginning, check_outputs, name_partial
from attattr_core.datasets import DATA_HELP, EMBEDDED_SETS, pick_examples
from attattr_core.errors import UserError
from attattr_core.files.whole_files import write_whole
from attattr_core.heads.results import DIRECTIONS, METRICS, describe_cut

if TYPE_CHECKING:
    from attattr_core.checkpoints.checkpoint import Checkpoint
    from attattr_core.cluster.workers import Workers
    from attattr_core.datasets import ExampleSet
    from attattr_core.heads.results import HeadImportance, HeadStudy

_PICTURES = (".png", ".svg", ".pdf")
_OUTPUTS = (".json", ".csv")


def add_parser(subparsers: Any) -> None:
    """Adds the command's options."""
    parser = subparsers.add_parser(
        "prune",
        help="measure a classifier while more and more of its heads are switched off",
        description="Switches the heads of an unmodified classifier off in the order of their importance, by masks "
        "after the softmax and without renormalising, and measures it on labelled data: 95 %% intervals, random orders "
        "beside, the areas under the curves and their paired differences. What is done is kept in FILE.partial until "
        "all is, so that a stopped job goes on with --resume.",
    )
    parser.add_argument("--model", required=True, help=MODEL_HELP)
    parser.add_argument(
        "--importance",
        required=True,
        type=Path,
        action="append",
        metavar="FILE",
        help="what the command heads wrote, or a list of the authors' scripts; give several to compare them",
    )
    parser.add_argument("--data", metavar="DATA", help=f"{DATA_HELP} (default for sst2 and snli: the embedded set)")
    _add_points(parser)
    _add_examples(parser)
    parser.add_argument(
        "--metric", choices=METRICS, help="default: Pearson for values, Matthews for CoLA, else accuracy"
    )
    parser.add_argument("--resume", action="store_true", help="go on from what a stopped or killed job has done")
    parser.add_argument(
        "--picture",
        type=Path,
        metavar="FILE",
        help="also draw the curves, as .png, .svg or .pdf; FILE.layers beside it with --layerwise",
    )
    parser.add_argument("--device", help=DEVICE_HELP)
    parser.add_argument(
        "--output",
        required=True,
        type=Path,
        metavar="FILE",
        help="what to write: .json (rates and metric of the first importance at its top, and all else), or .csv (all "
        "points; FILE.areas.csv beside it)",
    )
    add_engine_options(parser)
    parser.set_defaults(run=run)


def _add_points(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--every-head", action="store_true", help="a point for every head (default: every 10 %%)")
    parser.add_argument(
        "--direction",
        choices=(*DIRECTIONS, "both"),
        default="both",
        help="which heads go first (default: %(default)s)",
    )
    parser.add_argument(
        "--layerwise", action="store_true", help="also prune as many heads from every layer (the paper's effectiveness)"
    )
    parser.add_argument(
        "--n-seeds", type=int, default=10, metavar="N", help="random orders, 0 for none (default: %(default)s)"
    )


def _add_examples(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--n-examples", type=int, metavar="N", help="examples drawn at random (default: all)")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of that choice and the random orders (default: %(default)s)"
    )
    parser.add_argument(
        "--unseen",
        action="store_true",
        help="leave the examples out that the importances were measured on, where these are of the same data",
    )


def run(options: argparse.Namespace) -> None:
    """Measures and writes; the summary goes to standard error."""
    check_suffix(options.output, _OUTPUTS)
    if options.picture:
        check_suffix(options.picture, _PICTURES)
    check_outputs(_list_outputs(options), (options.data, options.model, *options.importance))
    if options.n_examples is not None and options.n_examples < 1:
        raise UserError(f"--n-examples is {options.n_examples}: choose 1 or more.")
    if options.seed < 0:
        raise UserError(f"--seed is {options.seed}: choose 0 or more.")
    if not options.data and options.model not in EMBEDDED_SETS:
        raise UserError(f"There is no data set for {options.model!r}: give one with --data.")
    check_engine(options)

    checkpoint = load_model(options.model, choose_place(options))
    importances = _load_importances(checkpoint, options.importance)
    examples = _choose_examples(open_examples(options.data or options.model, checkpoint), importances, options)
    with hiring(checkpoint, options) as workers:
        study = _measure(checkpoint, examples, importances, options, workers)
    _write(study, options)
    name_partial(options.output).unlink(missing_ok=True)
    _print(study)


def _list_outputs(options: argparse.Namespace) -> list[Path]:
    paths = [options.output]
    if options.output.suffix.lower() == ".csv":
        paths.append(options.output.with_suffix(".areas.csv"))
    if options.picture:
        paths.append(options.picture)
        if options.layerwise:
            paths.append(_name_layers(options.picture))
    return paths


def _name_layers(picture: Path) -> Path:
    return picture.with_suffix(f".layers{picture.suffix}")


def _load_importances(checkpoint: "Checkpoint", paths: list[Path]) -> "dict[str, HeadImportance]":
    """By method; several of one method by the names of their files."""
    from attattr_core.engine.families import count_heads
    from attattr_core.heads.importance_files import load_importance

    shape = count_heads(checkpoint.model.config)
    loaded = [(path, load_importance(path, shape=shape)) for path in paths]
    methods = [importance.method for _, importance in loaded]
    names = [importance.method if methods.count(importance.method) == 1 else path.stem for path, importance in loaded]
    if len(set(names)) < len(names):
        raise UserError(f"Two files of one method are both called {max(names, key=names.count)!r}: rename one.")
    return dict(zip(names, (importance for _, importance in loaded), strict=True))


def _choose_examples(
    examples: "ExampleSet", importances: "dict[str, HeadImportance]", options: argparse.Namespace
) -> "ExampleSet":
    from attattr_core.heads.pruning import find_seen, leave_out_seen

    if options.unseen:
        examples = leave_out_seen(examples, importances.values())
    elif n_seen := len(find_seen(examples, importances.values())):
        print(
            f"{n_seen} of the {len(examples)} examples of the data ranked the heads, which flatters the curves: "
            "--unseen leaves them out.",
            file=sys.stderr,
        )
    return examples if options.n_examples is None else pick_examples(examples, options.n_examples, seed=options.seed)


def _measure(
    checkpoint: "Checkpoint",
    examples: "ExampleSet",
    importances: "dict[str, HeadImportance]",
    options: argparse.Namespace,
    workers: "Workers | None",
) -> "HeadStudy":
    from tqdm import tqdm

    from attattr_core.heads.pruning import measure_curves

    partial = name_partial(options.output)
    with beginning(options.output, resume=options.resume):
        steps = measure_curves(
            checkpoint,
            examples,
            importances,
            every_head=options.every_head,
            directions=DIRECTIONS if options.direction == "both" else (options.direction,),
            n_seeds=options.n_seeds,
            seed=options.seed,
            metric=options.metric,
            layerwise=options.layerwise,
            state=partial if checkpoint.revision else None,
            workers=workers,
        )
    bar, done = None, None
    try:
        for done in steps:
            bar = bar or tqdm(total=done.n_total - done.n_done, unit="pass", leave=False)
            bar.update(done.n_done - (done.n_total - bar.total) - bar.n)
    except KeyboardInterrupt:
        steps.close()
        raise UserError("Stopped: the same command with --resume goes on after the last batch that was done.") from None
    finally:
        if bar is not None:
            bar.close()
    return done.study


def _write(study: "HeadStudy", options: argparse.Namespace) -> None:
    from attattr_core.heads.study_files import save_study, tabulate_areas, tabulate_curves

    if options.output.suffix.lower() == ".csv":
        write_whole(options.output, tabulate_curves(study))
        write_whole(options.output.with_suffix(".areas.csv"), tabulate_areas(study))
    else:
        save_study(study, options.output)
    if options.picture:
        from attattr_core.heads.pictures import draw_curves
        from attattr_core.pictures import render

        file_format = options.picture.suffix[1:].lower()
        write_whole(options.picture, render(draw_curves(study), file_format))
        if options.layerwise:
            write_whole(_name_layers(options.picture), render(draw_curves(study, layerwise=True), file_format))


def _print(study: "HeadStudy") -> None:
    if cut := describe_cut(study.n_cut, study.n_examples):
        print(cut, file=sys.stderr)
    print(f"{study.metric_name} on {study.n_examples} examples; area under the curve:", file=sys.stderr)
    for curve in study.curves:
        direction = "" if curve.method == "random" else f", {curve.direction}"
        print(
            f"  {curve.method}{direction}: {curve.area:.4f} ({curve.area_low:.4f} to {curve.area_high:.4f})",
            file=sys.stderr,
        )
    for gap in study.differences:
        if not gap.layerwise:
            print(
                f"  {gap.method} less {gap.other}, {gap.direction}: {gap.difference:+.4f} ({gap.low:+.4f} to "
                f"{gap.high:+.4f})",
                file=sys.stderr,
            )
