"""``compare-heads``: whether two importances agree."""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attattr_core.cli.common import check_suffix
from attattr_core.cli.outputs import check_outputs
from attattr_core.errors import UserError
from attattr_core.files.whole_files import write_whole

if TYPE_CHECKING:
    from attattr_core.heads.results import HeadImportance

_PICTURES = (".png", ".svg", ".pdf")


def add_parser(subparsers: Any) -> None:
    """Adds the command's options."""
    parser = subparsers.add_parser(
        "compare-heads",
        help="compare two importances of heads: across tasks, checkpoints or methods",
        description="Compares two importances of as many layers and heads, of two tasks, checkpoints or methods: "
        "Pearson's r and Spearman's rho, and a picture with a point a head.",
    )
    for name, help_text in (("first", "what the command heads wrote, or the authors' list"), ("second", "another")):
        parser.add_argument(name, type=Path, metavar=f"{name.upper()}.json", help=help_text)
    parser.add_argument(
        "--shape", type=_read_shape, metavar="LxH", help="layers and heads, such as 12x12, for the authors' flat lists"
    )
    parser.add_argument("--picture", type=Path, metavar="FILE", help="also draw the points, as .png, .svg or .pdf")
    parser.add_argument("--output", type=Path, metavar="FILE.json", help="also write pearson and spearman")
    parser.set_defaults(run=run)


def _read_shape(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9]\d{0,3})x([1-9]\d{0,3})", text, re.ASCII | re.IGNORECASE)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is no number of layers and heads: write them as 12x12")
    return int(found[1]), int(found[2])


def run(options: argparse.Namespace) -> None:
    """Compares and prints; writes what is asked for."""
    for path, suffixes in ((options.picture, _PICTURES), (options.output, (".json",))):
        if path:
            check_suffix(path, suffixes)
    check_outputs(filter(None, (options.picture, options.output)), (options.first, options.second))

    from attattr_core.heads.comparison import compare_importances

    paths = (options.first, options.second)
    one, other = (_load(path, options.shape) for path in paths)
    try:
        comparison = compare_importances(one, other)
    except UserError as error:
        raise UserError(f"{paths[0].name!r} and {paths[1].name!r}: {error}") from error
    if options.picture:
        from attattr_core.heads.pictures import draw_comparison
        from attattr_core.pictures import render

        names = tuple(f"{found.method} {found.model}".strip() for found in (one, other))
        if len(set(names)) == 1:
            names = tuple(path.stem for path in paths)
        figure = draw_comparison(comparison, names=names)
        write_whole(options.picture, render(figure, options.picture.suffix[1:].lower()))
    if options.output:
        facts = {"pearson": comparison.pearson, "spearman": comparison.spearman, "n_heads": comparison.x.size}
        write_whole(options.output, json.dumps(facts) + "\n")
    print(
        f"{comparison.x.size} heads: Pearson's r {comparison.pearson:.4f}, Spearman's rho {comparison.spearman:.4f}",
        file=sys.stderr,
    )


def _load(path: Path, shape: tuple[int, int] | None) -> "HeadImportance":
    from attattr_core.heads.importance_files import load_importance

    try:
        return load_importance(path, shape=shape)
    except UserError as error:
        raise UserError(str(error).replace("choose the model first", "give --shape, such as 12x12")) from error
