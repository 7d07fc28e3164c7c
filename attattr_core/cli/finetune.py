"""``attattr_core finetune``: train an encoder on a classification file, or measure a trained folder."""

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attattr_core.errors import UserError

if TYPE_CHECKING:
    from attattr_core.finetuning.evaluation import Evaluation
    from attattr_core.finetuning.model_card import CardFacts


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line.

    Args:
        subparsers: The sub-commands of ``python -m attattr_core``.
    """
    parser = subparsers.add_parser(
        "finetune",
        help="fine-tune an encoder on a GLUE-style file",
        description="Fine-tune an encoder on a labelled TSV or CSV file with a header, all weights or a LoRA adapter, "
        "and write a Hugging Face folder with a model card.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.set_defaults(run=run)
    _add_files(parser)
    _add_training(parser)
    _add_model(parser)
    _add_card(parser)


def _add_files(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("files")
    group.add_argument("--base", help="Hub id or folder of the encoder")
    group.add_argument("--data", type=Path, help="training file, .tsv or .csv, plain or .gz")
    group.add_argument("--eval", action="append", default=[], metavar="NAME=FILE", help="file to measure on")
    group.add_argument("--output", type=Path, required=True, help="folder to write, or to measure")
    group.add_argument("--labels", help="class names by index, with commas; by default the file's own")
    group.add_argument("--resume", action="store_true", help="go on with a run that was cut off")
    group.add_argument("--overwrite", action="store_true", help="write over what the output folder holds")
    group.add_argument("--evaluate-only", action="store_true", help="measure a finished folder and renew its card")
    group.add_argument("--checkpoint-every", type=int, default=500, metavar="STEPS", help="steps between two savings")


def _add_training(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("training")
    group.add_argument("--epochs", type=float, default=3.0, help="passes over the data")
    group.add_argument("--learning-rate", type=float, default=5e-5, help="peak, falling linearly to 0")
    group.add_argument("--batch-size", type=int, default=32, help="examples a step")
    group.add_argument("--warmup", type=float, default=0.06, help="fraction of the steps with a rising rate")
    group.add_argument("--weight-decay", type=float, default=0.01, help="of AdamW")
    group.add_argument("--max-length", type=int, default=128, help="longest input in tokens")
    group.add_argument("--seed", type=int, default=0, help="of head, order and dropout")
    group.add_argument("--precision", choices=("float32", "bfloat16"), default="float32", help="arithmetic in training")
    group.add_argument("--min-words", type=int, default=0, help="leave out shorter training texts")
    group.add_argument("--max-examples", type=int, help="train on a sample of this size")


def _add_model(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("model")
    group.add_argument("--method", choices=("full", "lora"), default="full", help="all weights or an adapter")
    group.add_argument("--lora-rank", type=int, default=16, help="rank of the adapter")
    group.add_argument("--lora-alpha", type=float, default=32.0, help="scale of the adapter")
    group.add_argument("--vocabulary-size", type=int, help="cut a WordPiece vocabulary to about so many pieces")
    group.add_argument(
        "--vocabulary-data", type=Path, action="append", default=[], help="another file to count pieces in; repeatable"
    )
    group.add_argument("--save-dtype", choices=("float16", "float32"), default="float32", help="type of the weights")


def _add_card(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("model card")
    group.add_argument("--title", help="heading of the model card")
    group.add_argument("--license", help="licence of the weights, as in model cards")
    group.add_argument("--dataset", action="append", help="Hub name of a data set behind the data; repeatable")
    group.add_argument("--notes", type=Path, help="Markdown file to put into the model card")


def run(args: argparse.Namespace) -> None:
    """Train or measure, and print the figures.

    Args:
        args: The parsed command line.

    Raises:
        UserError: For anything that cannot be trained on or measured.
    """
    eval_sets = dict(_split_eval(value) for value in args.eval)
    evaluations = _evaluate(args, eval_sets) if args.evaluate_only else _train(args, eval_sets)
    for evaluation in evaluations:
        low, high = evaluation.interval
        print(f"{evaluation.name}: {evaluation.accuracy:.1%} of {evaluation.n_examples} ({low:.1%} to {high:.1%})")
    print(f"Written: {args.output}")


def _split_eval(value: str) -> tuple[str, Path]:
    name, separator, file = value.partition("=")
    if not (name and separator and file):
        raise UserError(f"--eval got {value!r}; write it as NAME=FILE.")
    return name, Path(file)


def _train(args: argparse.Namespace, eval_sets: dict[str, Path]) -> "tuple[Evaluation, ...]":
    from dataclasses import fields

    from transformers.utils import logging

    from attattr_core.cli.progress import showing_download
    from attattr_core.finetuning.finetune import finetune
    from attattr_core.finetuning.settings import FinetuneSettings

    # A new head is what fine-tuning is for: no warning about it.
    logging.set_verbosity_error()
    for option in ("base", "data"):
        if getattr(args, option) is None:
            raise UserError(f"--{option} is missing; training needs --base, --data and --output.")
    values = {field.name: getattr(args, field.name) for field in fields(FinetuneSettings)}
    labels = tuple(name.strip() for name in args.labels.split(",")) if args.labels else None
    with showing_download() as on_progress:
        result = finetune(
            args.base,
            args.data,
            args.output,
            settings=FinetuneSettings(**(values | {"labels": labels})),
            eval_sets=eval_sets,
            vocabulary_data=args.vocabulary_data,
            facts=_read_facts(args, {}),
            command=shlex.join(["python", "-m", "attattr_core", *sys.argv[1:]]),
            resume=args.resume,
            overwrite=args.overwrite,
            checkpoint_every=args.checkpoint_every,
            on_progress=on_progress,
        )
    return result.evaluations


def _evaluate(args: argparse.Namespace, eval_sets: dict[str, Path]) -> "tuple[Evaluation, ...]":
    from attattr_core.finetuning.finetune import measure
    from attattr_core.finetuning.model_card import read_record

    facts = _read_facts(args, read_record(args.output).get("facts", {}))
    return measure(args.output, eval_sets, facts=facts)


def _read_facts(args: argparse.Namespace, known: dict[str, Any]) -> "CardFacts":
    from attattr_core.finetuning.model_card import CardFacts

    if args.notes and not args.notes.is_file():
        raise UserError(f"There is no file {str(args.notes)!r} for --notes; give a Markdown file.")
    given = {
        "title": args.title,
        "license": args.license,
        "datasets": tuple(args.dataset) if args.dataset else None,
        "notes": args.notes.read_text(encoding="utf-8") if args.notes else None,
    }
    return CardFacts(**(known | {name: value for name, value in given.items() if value is not None}))
