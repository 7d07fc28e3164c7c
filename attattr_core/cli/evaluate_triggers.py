"""``evaluate-triggers``: what a list of triggers does to another data set, beside controls."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attattr_core.cli.common import DEVICE_HELP, MODEL_HELP, check_suffix, load_model, open_examples
from attattr_core.cli.engines import add_engine_options, check_engine, choose_place, hiring
from attattr_core.cli.outputs import check_outputs
from attattr_core.datasets import DATA_HELP
from attattr_core.errors import UserError
from attattr_core.files.whole_files import write_whole

if TYPE_CHECKING:
    from attattr_core.checkpoints.checkpoint import Checkpoint
    from attattr_core.triggers.results import TriggerSet, TriggerStudy

_PICTURES = (".svg", ".png", ".pdf")


def add_parser(subparsers: Any) -> None:
    """Adds the command's options."""
    parser = subparsers.add_parser(
        "evaluate-triggers",
        help="put triggers into every example of another data set, beside controls",
        description="Puts each trigger into every example of a data set that was not mined and measures the accuracy "
        "on each class, beside as many random tokens at the same places and the same tokens at other places.",
    )
    parser.add_argument("--model", required=True, help=MODEL_HELP)
    parser.add_argument("--data", required=True, help=DATA_HELP)
    parser.add_argument(
        "--triggers", required=True, type=Path, metavar="FILE", help="the list of mine-triggers, or of the authors"
    )
    parser.add_argument("--use-all", action="store_true", help="insert both pairs even where the second entry is weak")
    parser.add_argument(
        "--as-words", action="store_true", help="insert the whole words that the tokens belong to, not the pieces"
    )
    parser.add_argument(
        "--threshold", type=float, default=0.02, help="least strength of a pattern (default: %(default)s)"
    )
    parser.add_argument(
        "--n-triggers",
        type=int,
        metavar="N",
        help="the first N of the list only: paper mode's strongest (default: all)",
    )
    parser.add_argument(
        "--controls", type=int, default=5, metavar="N", help="controls of each kind, 0 for none (default: %(default)s)"
    )
    parser.add_argument(
        "--controls-for",
        choices=("all", "best"),
        default="all",
        help="which triggers have controls: all, or the three best of each class (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the controls (default: %(default)s)")
    parser.add_argument(
        "--transfer-model",
        metavar="MODEL",
        help="attack this model instead with the triggers of --model; by words where the vocabularies differ",
    )
    parser.add_argument(
        "--filter-words", action="store_true", help="leave out triggers of words that carry a label themselves"
    )
    parser.add_argument("--drop-mined", action="store_true", help="leave out examples that were mined, do not refuse")
    parser.add_argument("--without-texts", action="store_true", help="write figures and trigger tokens only")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="also draw the best: .svg, .png or .pdf")
    parser.add_argument("--table", type=Path, metavar="FILE.csv", help="also write a table")
    parser.add_argument("--device", help=DEVICE_HELP)
    parser.add_argument("--output", required=True, type=Path, metavar="FILE.json", help="the list to write")
    add_engine_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Evaluates and writes; the summary goes to standard error."""
    outputs = {options.output: (".json",), options.picture: _PICTURES, options.table: (".csv",)}
    outputs.pop(None, None)
    for path, suffixes in outputs.items():
        check_suffix(path, suffixes)
    inputs = (options.triggers, options.data, options.model, options.transfer_model)
    check_outputs(outputs, inputs)
    if options.n_triggers is not None and options.n_triggers < 1:
        raise UserError(f"--n-triggers is {options.n_triggers}: choose 1 or more.")
    check_engine(options)

    from attattr_core.triggers.files import load_triggers
    from attattr_core.triggers.words import filter_triggers

    triggers = load_triggers(options.triggers)
    if not triggers.example_digests:
        print(
            f"{options.triggers.name!r} does not say which examples were mined, so nothing tells whether some of them "
            "are in the data.",
            file=sys.stderr,
        )
    if options.filter_words:
        triggers = filter_triggers(triggers, use_all=options.use_all)
    checkpoint = load_model(options.model, choose_place(options))
    study = _evaluate(checkpoint, triggers, options)
    _write(study, triggers, options)
    _print(study)


def _evaluate(checkpoint: "Checkpoint", triggers: "TriggerSet", options: argparse.Namespace) -> "TriggerStudy":
    from attattr_core.cli.progress import show_progress
    from attattr_core.triggers.cut_texts import tell_cut
    from attattr_core.triggers.evaluation import evaluate_triggers
    from attattr_core.triggers.transfer import transfer_triggers

    examples = open_examples(options.data, checkpoint)
    arguments = {
        "as_words": options.as_words,
        "use_all": options.use_all,
        "threshold": options.threshold,
        "n_triggers": options.n_triggers,
        "drop_overlap": options.drop_mined,
        "n_seeds": options.controls,
        "only_best": options.controls_for == "best",
        "seed": options.seed,
    }
    attacked = load_model(options.transfer_model, choose_place(options)) if options.transfer_model else checkpoint
    with hiring(attacked, options) as workers:
        if attacked is checkpoint:
            steps = evaluate_triggers(checkpoint, examples, triggers, **arguments, workers=workers)
        else:
            steps = transfer_triggers(checkpoint, attacked, examples, triggers, **arguments, workers=workers)
        if cut := tell_cut(attacked, examples, "to evaluate on"):
            print(cut, file=sys.stderr)
        try:
            return show_progress(steps, unit="pass").study
        except KeyboardInterrupt:
            raise UserError(
                "The evaluation was stopped and nothing was written: --n-triggers and --controls-for best take less "
                "time."
            ) from None


def _write(study: "TriggerStudy", triggers: "TriggerSet", options: argparse.Namespace) -> None:
    from attattr_core.triggers.study_files import save_study

    save_study(study, options.output, triggers=triggers, with_texts=not options.without_texts)
    if options.table is not None:
        from attattr_core.triggers.tables import dump_csv

        write_whole(options.table, dump_csv(study))
    if options.picture is not None:
        from attattr_core.pictures import render
        from attattr_core.triggers.pictures import draw_study

        write_whole(options.picture, render(draw_study(study), options.picture.suffix.lower()[1:]))


def _print(study: "TriggerStudy") -> None:
    from attattr_core.triggers.tables import describe_best, describe_skipped

    if skipped := describe_skipped(study):
        print(skipped, file=sys.stderr)
    for line in describe_best(study):
        print(line, file=sys.stderr)
