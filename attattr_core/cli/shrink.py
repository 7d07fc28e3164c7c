"""``shrink``: save a classifier without some of its heads, and measure what that changes."""

import argparse
import re
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attattr_core.cli.common import DEVICE_HELP, MODEL_HELP, load_model, open_examples
from attattr_core.datasets import DATA_HELP, EMBEDDED_SETS
from attattr_core.errors import UserError
from attattr_core.heads.results import describe_cut

if TYPE_CHECKING:
    from attattr_core.checkpoints.checkpoint import Checkpoint
    from attattr_core.heads.results import HeadImportance
    from attattr_core.heads.shrinking import ShrinkSoFar
    from attattr_core.heads.sizes import SizeComparison


def add_parser(subparsers: Any) -> None:
    """Adds the command's options."""
    parser = subparsers.add_parser(
        "shrink",
        help="save a classifier without some of its heads",
        description="Removes heads from a classifier's weights and saves the rest as a Hugging Face folder, which "
        "loads with transformers and gives the logits of the classifier with these heads masked. Weights are cut where "
        "the family's configuration can say that there are fewer heads, and zeroed elsewhere. With labelled data it "
        "measures parameters, time for a sentence and accuracy before and after.",
    )
    parser.add_argument("--model", required=True, help=MODEL_HELP)
    parser.add_argument(
        "--importance", type=Path, metavar="FILE.json", help="what the command heads wrote; the least important go"
    )
    parser.add_argument("--rate", type=float, metavar="SHARE", help="share of the heads that go, such as 0.5")
    parser.add_argument("--heads", metavar="LAYER:HEAD,…", help="which heads go, such as 1:2,4:6; counted from 1")
    parser.add_argument(
        "--data", metavar="DATA", help=f"what to measure on: {DATA_HELP} (default for sst2 and snli: the embedded set)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a folder that this command wrote")
    parser.add_argument("--device", help=DEVICE_HELP)
    parser.add_argument("--output", required=True, type=Path, metavar="FOLDER", help="the folder to write")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Saves and measures; the summary goes to standard error."""
    if bool(options.heads) == bool(options.importance):
        raise UserError("Say which heads go: either --heads, or --importance with --rate.")
    if bool(options.importance) != (options.rate is not None):
        raise UserError("--importance and --rate go together: the share of the heads that are least important.")
    named = parse_heads(options.heads) if options.heads else None
    if options.output.resolve() == Path(options.model).resolve() and options.output.is_dir():
        raise UserError(f"{str(options.output)!r} is the model that this command reads: choose another --output.")

    from attattr_core.heads.removal import choose_heads
    from attattr_core.heads.shrinking import shrink

    checkpoint = load_model(options.model, options.device)
    importance = _read_importance(options.importance, checkpoint) if options.importance else None
    heads = named or choose_heads(importance, options.rate)
    data = options.data or (options.model if options.model in EMBEDDED_SETS else None)
    examples = open_examples(data, checkpoint) if data else None
    steps = shrink(
        checkpoint, heads, options.output, importance=importance, examples=examples, overwrite=options.overwrite
    )
    last = _follow(steps)
    smaller = last.smaller
    print(
        f"{options.output}: {len(smaller.heads)} of {smaller.n_heads} heads removed, {smaller.n_cut} cut and "
        f"{smaller.n_zeroed} zeroed",
        file=sys.stderr,
    )
    if last.comparison:
        _print(last.comparison)


def parse_heads(text: str) -> list[tuple[int, int]]:
    """Reads ``"1:2,4:6"``, layers and heads counted from 1, as indices from 0.

    Raises:
        UserError: When it is something else.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    wrong = next((part for part in parts if not re.fullmatch(r"[1-9]\d{0,5}[:.][1-9]\d{0,5}", part, re.ASCII)), None)
    if wrong is not None or not parts:
        raise UserError(f"--heads got {(wrong or text)[:80]!r}: write layer:head, counted from 1, such as 1:2,4:6.")
    return [(int(layer) - 1, int(head) - 1) for layer, head in (re.split("[:.]", part) for part in parts)]


def _read_importance(path: Path, checkpoint: "Checkpoint") -> "HeadImportance":
    from attattr_core.engine.families import count_heads
    from attattr_core.heads.importance_files import load_importance

    return load_importance(path, shape=count_heads(checkpoint.model.config))


def _follow(steps: Any) -> "ShrinkSoFar":
    from tqdm import tqdm

    try:
        with closing(steps), tqdm(leave=False, unit="step") as bar:
            for step in steps:
                bar.total = step.n_total
                bar.set_description(step.stage, refresh=False)
                bar.update(step.n_done - bar.n)
    except KeyboardInterrupt:
        raise UserError("Stopped: no folder was written.") from None
    return step


def _print(comparison: "SizeComparison") -> None:
    if cut := describe_cut(comparison.n_cut, comparison.n_examples):
        print(cut, file=sys.stderr)
    names = {"before": "before", "saved": "the folder", "cut": "cut after loading"}
    for name, model in comparison.models.items():
        ratio = f", time × {model.time_ratio:.2f} ({model.time_low:.2f} to {model.time_high:.2f})"
        print(
            f"{names[name]}: {model.n_parameters:,} parameters, {model.n_attention:,} in attention, "
            f"{model.n_bytes / 1e6:.1f} MB, {comparison.metric_name} {model.metric:.3f}{ratio * (name != 'before')}",
            file=sys.stderr,
        )
    print(
        f"{comparison.n_examples} examples; {comparison.n_timed} sentences timed in {comparison.n_rounds} rounds on "
        f"{comparison.device}; logits differ from the masked model's by at most {comparison.largest_difference:.1e}",
        file=sys.stderr,
    )
