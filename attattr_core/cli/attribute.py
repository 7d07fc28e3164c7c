"""``attribute``: one text to its attribution file or picture."""

import argparse
import sys
from pathlib import Path
from typing import Any

from attattr_core.cli.common import DEVICE_HELP, MODEL_HELP, RULE_HELP, add_precision, check_suffix, load_model
from attattr_core.cli.outputs import check_outputs
from attattr_core.engine.quadrature import RULES
from attattr_core.errors import UserError
from attattr_core.files.whole_files import write_whole
from attattr_core.settings import BASELINES, DEFAULT_TOLERANCE, FUNCTIONS

_SUFFIXES = (".npz", ".json", ".jsonl", ".zip", ".svg", ".png", ".pdf")
_OUTPUT_HELP = (
    "what to write, by its ending: .npz (arrays attribution and attention, each (n_layers, n_heads, T, T), and "
    "metadata), .json (the same as text), .jsonl (the authors' format, one line a layer; with FILE.attention.jsonl and "
    "FILE.tokens.json beside it), .zip (a bundle: result, pictures, tree, settings and versions), .svg, .png or .pdf "
    "(a picture)"
)


def add_parser(subparsers: Any) -> None:
    """Adds the command's options."""
    parser = subparsers.add_parser(
        "attribute",
        help="attribute the attention of every layer and head for one text",
        description="Attributes a classifier's decision on one text to the attention of every layer and head.",
    )
    parser.add_argument("--model", required=True, help=MODEL_HELP)
    parser.add_argument("--text", required=True, help="the sentence, or the first of a pair")
    parser.add_argument("--text-pair", help="the second sentence of a pair")
    parser.add_argument(
        "--target", default="predicted", help="predicted (default), a label name or a class index", metavar="LABEL"
    )
    parser.add_argument("--rule", choices=RULES, help=RULE_HELP)
    accuracy = parser.add_mutually_exclusive_group()
    accuracy.add_argument("--n-steps", type=int, metavar="N", help="a fixed number of quadrature nodes")
    accuracy.add_argument(
        "--tolerance",
        type=float,
        default=DEFAULT_TOLERANCE,
        help="raise the nodes until |convergence delta| is at most this share of |F(A) - F(A')| (default: %(default)s)",
    )
    parser.add_argument(
        "--baseline", choices=BASELINES, default=BASELINES[0], help="start of the path (default: %(default)s)"
    )
    parser.add_argument(
        "--function", choices=FUNCTIONS, default=FUNCTIONS[0], help="F, what is explained (default: %(default)s)"
    )
    add_precision(parser)
    parser.add_argument("--layer", type=int, metavar="L", help="pictures: layer from 1 (default: the strongest head's)")
    parser.add_argument("--head", type=int, metavar="H", help="pictures: head from 1 (default: all of --layer)")
    parser.add_argument("--device", help=DEVICE_HELP)
    parser.add_argument("--output", required=True, type=Path, metavar="FILE", help=_OUTPUT_HELP)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Computes and writes; the summary goes to standard error."""
    check_suffix(options.output, _SUFFIXES)
    if options.head is not None and options.layer is None:
        raise UserError(f"--head {options.head} needs --layer as well.")
    check_outputs(_list_outputs(options.output), (options.model,))

    from tqdm import tqdm

    from attattr_core.engine.attributing import attribute_layers
    from attattr_core.settings import Settings
    from attattr_core.view import select_map

    names = ("function", "baseline", "rule", "n_steps", "tolerance", "precision")
    settings = Settings(**{name: getattr(options, name) for name in names})
    checkpoint = load_model(options.model, options.device)
    steps = attribute_layers(checkpoint, options.text, options.text_pair, target=options.target, settings=settings)
    clean = next(steps)
    layer, head = (None if place is None else place - 1 for place in (options.layer, options.head))
    if layer is not None:
        select_map(clean, layer, head)  # names a layer or head that does not exist before any is computed
    *_, result = tqdm(steps, total=clean.n_layers, unit="layer", leave=False)
    _write(result, options.output, layer, head)
    print(_summarise(result), file=sys.stderr)


def _list_outputs(path: Path) -> list[Path]:
    beside = (".attention.jsonl", ".tokens.json") if path.suffix.lower() == ".jsonl" else ()
    return [path, *map(path.with_suffix, beside)]


def _write(result: Any, path: Path, layer: int | None, head: int | None) -> None:
    from attattr_core.authors import dump_authors_lines, dump_authors_tokens
    from attattr_core.bundle import save_bundle
    from attattr_core.pictures import draw_overview, render
    from attattr_core.storage import save_attribution

    suffix = path.suffix.lower()
    if suffix in (".npz", ".json"):
        save_attribution(result, path)
    elif suffix == ".zip":
        save_bundle(result, path)
    elif suffix == ".jsonl":
        contents = dump_authors_lines(result.attribution), dump_authors_lines(result.attention)
        for output, content in zip(_list_outputs(path), (*contents, dump_authors_tokens(result)), strict=True):
            write_whole(output, content)
    else:
        write_whole(path, render(draw_overview(result, layer=layer, head=head), suffix[1:]))


def _summarise(result: Any) -> str:
    gap = abs(result.convergence_delta).max()
    complete = f"complete within the tolerance in {result.converged.sum()} of {result.n_layers} layers"
    return (
        f"{result.labels[result.target]}: {result.settings.function} {result.output:.4f}; {complete}, largest gap "
        f"{gap:.1e}, {result.n_nodes.sum()} nodes" + (f"\n{result.notice}" if result.notice else "")
    )
