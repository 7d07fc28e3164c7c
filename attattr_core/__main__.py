"""``python -m attattr_core COMMAND``."""

import argparse
import sys

from attattr_core.cli import (
    attribute,
    compare_heads,
    evaluate_triggers,
    faithfulness,
    finetune,
    heads,
    mine_triggers,
    prune,
    shrink,
    tree,
)
from attattr_core.errors import UserError, is_disk_error, is_memory_error

COMMANDS = (
    attribute,
    tree,
    faithfulness,
    heads,
    prune,
    compare_heads,
    shrink,
    mine_triggers,
    evaluate_triggers,
    finetune,
)


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; a user's mistake, a full disk or memory is a sentence on standard error and exit status 2."""
    parser = argparse.ArgumentParser(
        prog="python -m attattr_core", description="Self-attention attribution of Transformer classifiers."
    )
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(subparsers)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except Exception as error:
        sentence = _describe_shortage(error)
        if sentence is None:
            raise
        print(f"error: {sentence}", file=sys.stderr)
        return 2
    return 0


def _describe_shortage(error: Exception) -> str | None:
    """What the machine has too little of, and the way out; None where it is something else."""
    if is_memory_error(error):
        return "The memory of this machine does not suffice: take a smaller model, shorter texts or less data."
    if is_disk_error(error):
        place = f" for {error.filename!r}" if getattr(error, "filename", None) else ""
        return f"The disk is full{place} ({error.strerror}): make room there, or set TMPDIR and HF_HOME to others."
    return None


if __name__ == "__main__":
    sys.exit(main())
