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
from attattr_core.errors import UserError

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
    """Runs one command; a user's mistake is one sentence on standard error and exit status 2."""
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
    return 0


if __name__ == "__main__":
    sys.exit(main())
