"""``mine-triggers``: from a labelled data set to a list of triggers."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attattr_core.cli.common import DEVICE_HELP, MODEL_HELP, add_precision, check_suffix, load_model, open_examples
from attattr_core.cli.engines import add_engine_options, check_engine, choose_place, hiring
from attattr_core.cli.outputs import beginning, check_outputs, name_partial
from attattr_core.datasets import DATA_HELP
from attattr_core.errors import UserError

if TYPE_CHECKING:
    from attattr_core.triggers.results import TriggerSet

MODES = ("paper", "pooled")


def add_parser(subparsers: Any) -> None:
    """Adds the command's options."""
    parser = subparsers.add_parser(
        "mine-triggers",
        help="find the patterns that decide in a labelled data set",
        description="Finds patterns that, put into other texts, may change a prediction: to audit one's own model. "
        "Mode paper takes of each example the two largest attribution entries of the head that holds the largest one; "
        "mode pooled takes tokens that are strong in many examples and sorts them by what they do on a held-out part.",
    )
    parser.add_argument("--model", required=True, help=MODEL_HELP)
    parser.add_argument("--data", required=True, help=DATA_HELP)
    parser.add_argument(
        "--n-examples",
        type=int,
        default=500,
        metavar="N",
        help="how many examples are taken from the data (default: %(default)s)",
    )
    parser.add_argument("--mode", choices=MODES, default=MODES[0], help="way of mining (default: %(default)s)")
    parser.add_argument(
        "--min-tokens",
        type=int,
        default=0,
        metavar="N",
        help="leave out those with fewer tokens, special ones counted; the authors use 15 for SST-2 (default: 0)",
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", help="draw the examples at random from this seed (default: the first ones)"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the job that was stopped or killed")
    parser.add_argument(
        "--filter-words", action="store_true", help="leave out triggers of words that carry a label themselves"
    )
    parser.add_argument(
        "--without-texts", action="store_true", help="blank the examples' tokens that are not in the pattern"
    )
    add_precision(parser)
    parser.add_argument("--device", help=DEVICE_HELP)
    parser.add_argument("--output", required=True, type=Path, metavar="FILE.json", help="the list to write")
    add_engine_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Mines and writes; the summary goes to standard error."""
    check_suffix(options.output, (".json",))
    check_outputs((options.output,), (options.data, options.model))
    if options.seed is not None and options.seed < 0:
        raise UserError(f"--seed is {options.seed}: choose 0 or more.")
    check_engine(options)

    from attattr_core.triggers.files import save_triggers
    from attattr_core.triggers.words import filter_triggers

    checkpoint = load_model(options.model, choose_place(options))
    examples = open_examples(options.data, checkpoint)
    with hiring(checkpoint, options) as workers:
        triggers = _mine(checkpoint, examples, options, workers)
    if options.filter_words:
        triggers = filter_triggers(triggers)
    save_triggers(triggers, options.output, with_texts=not options.without_texts)
    name_partial(options.output).unlink(missing_ok=True)
    print(_summarise(triggers), file=sys.stderr)


def _mine(checkpoint: Any, examples: Any, options: argparse.Namespace, workers: Any) -> "TriggerSet":
    from attattr_core.cli.progress import show_progress
    from attattr_core.triggers.cut_texts import tell_cut
    from attattr_core.triggers.mining import DEFAULT_SETTINGS, mine_triggers
    from attattr_core.triggers.overlap import choose_examples

    with beginning(options.output, resume=options.resume):
        steps = mine_triggers(
            checkpoint,
            examples,
            mode=options.mode,
            n_examples=options.n_examples,
            min_tokens=options.min_tokens,
            seed=options.seed,
            settings=replace(DEFAULT_SETTINGS[options.mode], precision=options.precision),
            state=name_partial(options.output),
            workers=workers,
        )
    chosen = choose_examples(len(examples), options.n_examples, options.seed)
    mined = replace(examples, examples=tuple(examples.examples[index] for index in chosen))
    if cut := tell_cut(checkpoint, mined, "to mine"):
        print(cut, file=sys.stderr)
    try:
        return show_progress(steps, unit="example").triggers
    except KeyboardInterrupt:
        raise UserError("Mining was stopped: the same command with --resume goes on from there.") from None


def _summarise(triggers: "TriggerSet") -> str:
    from attattr_core.triggers.insertion import DEFAULT_THRESHOLD
    from attattr_core.triggers.patterns import choose_insertions

    strong = [trigger for trigger in triggers.triggers if trigger.strength >= DEFAULT_THRESHOLD]
    shown = [" + ".join(one.token for one in choose_insertions(trigger)) for trigger in strong[:5]]
    return (
        f"{len(triggers.triggers)} patterns from {triggers.n_examples} examples, {len(strong)} of a strength of "
        f"{DEFAULT_THRESHOLD:g} or more; the first: {', '.join(shown) or 'none'}"
    )
