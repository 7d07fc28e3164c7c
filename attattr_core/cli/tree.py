"""``tree``: an attribution file to its attribution tree."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attattr_core.cli.common import DEVICE_HELP, MODEL_HELP, check_suffix, load_model
from attattr_core.cli.outputs import check_outputs
from attattr_core.errors import UserError
from attattr_core.files.whole_files import write_whole
from attattr_core.trees.tree import DEFAULT_EDGES, MODES, PAPER_THRESHOLD, AttributionTree, build_tree

if TYPE_CHECKING:
    from attattr_core.attribution import Attribution

_PICTURES = (".svg", ".png", ".pdf")
_SUFFIXES = (".json", ".graphml", *_PICTURES)


def add_parser(subparsers: Any) -> None:
    """Adds the command's options."""
    parser = subparsers.add_parser(
        "tree",
        help="build the attribution tree of a result file, or of the authors' files",
        description="Builds the attribution tree: which tokens told which, from the sentence up to the decision.",
    )
    files = parser.add_argument_group("files")
    files.add_argument(
        "--attribution",
        required=True,
        type=Path,
        metavar="FILE",
        help="a result file of the attribute command (.npz, .json), or the authors' attr_….json with one line a layer",
    )
    files.add_argument(
        "--tokens", type=Path, metavar="FILE", help="with the authors' file: their tokens_and_pred_….json"
    )
    files.add_argument(
        "--index", type=int, default=0, metavar="N", help="the example's entry in --tokens (default: %(default)s)"
    )
    files.add_argument(
        "--output",
        required=True,
        type=Path,
        metavar="FILE",
        help="what to write, by its ending: .json (tokens, edges as [receiver, sender], height, and all details), "
        ".graphml, or a picture: .svg, .png, .pdf",
    )
    shape = parser.add_argument_group("tree")
    shape.add_argument(
        "--mode",
        choices=MODES,
        default=MODES[0],
        help="flow: rooted in the token that the classifier reads, all layers; paper: the authors' script, for any "
        "depth (default: %(default)s)",
    )
    shape.add_argument(
        "--threshold",
        type=float,
        metavar="SHARE",
        help=f"weakest edge as a share of the largest attribution (default: {PAPER_THRESHOLD} of each layer in the "
        "paper's mode, 0 of all layers in the other)",
    )
    shape.add_argument("--n-edges", type=int, metavar="N", help=f"flow: budget of edges (default: {DEFAULT_EDGES})")
    shape.add_argument("--mass", type=float, metavar="SHARE", help="flow: stop when this share of attribution is kept")
    shape.add_argument("--words", action="store_true", help="merge pieces to words first")
    proof = parser.add_argument_group("proof")
    proof.add_argument(
        "--deletion",
        action="store_true",
        help="with --model: remove (and add) the edges one after the other, beside as many of raw attention and random "
        "ones; print the areas, write FILE.curves.json, and for a picture FILE.curves with the same ending",
    )
    proof.add_argument("--model", help=f"the model that the file belongs to: {MODEL_HELP}")
    proof.add_argument("--device", help=DEVICE_HELP)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Builds and writes; the summary goes to standard error."""
    check_suffix(options.output, _SUFFIXES)
    if options.deletion and not options.model:
        raise UserError("--deletion needs the model whose edges are removed: give --model as well.")
    if options.mode == "paper" and (options.n_edges is not None or options.mass is not None):
        raise UserError("--n-edges and --mass belong to --mode flow: leave them out, or choose that mode.")
    check_outputs(_list_outputs(options), (options.attribution, options.tokens, options.model))

    attribution = _load(options)
    tree = build_tree(
        attribution,
        mode=options.mode,
        threshold=options.threshold,
        n_edges=DEFAULT_EDGES if options.n_edges is None else options.n_edges,
        mass=options.mass,
        words=options.words,
    )
    curves = _measure(options, attribution, tree) if options.deletion else None
    _write(tree, options.output)
    kept = f"{tree.kept_share:.1%} of the positive attribution between tokens"
    print(f"{tree.label}: {tree.function}, {tree.mode} tree of {len(tree.edges)} edges, {kept}", file=sys.stderr)
    if curves:
        _write_curves(curves, options.output)


def _list_outputs(options: argparse.Namespace) -> list[Path]:
    endings = [".json", *{options.output.suffix.lower()}.intersection(_PICTURES)] if options.deletion else []
    return [options.output, *(options.output.with_suffix(f".curves{ending}") for ending in endings)]


def _load(options: argparse.Namespace) -> "Attribution":
    from attattr_core.authors import load_authors
    from attattr_core.storage import load_attribution

    path = options.attribution
    if options.tokens:
        return load_authors(path, options.tokens, index=options.index)
    if path.is_file():
        with path.open("rb") as file:
            if file.read(100).lstrip().startswith(b"["):
                raise UserError(
                    f"{path.name!r} holds lists, as the authors' scripts write them: give their tokens_and_pred file "
                    "with --tokens as well."
                )
    return load_attribution(path)


def _measure(options: argparse.Namespace, attribution: "Attribution", tree: AttributionTree) -> Any:
    from attattr_core.trees.faithfulness import measure_faithfulness

    return measure_faithfulness(load_model(options.model, options.device), attribution, tree)


def _write(tree: AttributionTree, path: Path) -> None:
    from attattr_core.pictures import render
    from attattr_core.trees.files import save_tree
    from attattr_core.trees.pictures import draw_tree

    suffix = path.suffix.lower()
    if suffix in _PICTURES:
        write_whole(path, render(draw_tree(tree), suffix[1:]))
    else:
        save_tree(tree, path)


def _write_curves(curves: Any, path: Path) -> None:
    from attattr_core.pictures import render
    from attattr_core.trees.curves import dump_curves
    from attattr_core.trees.pictures import draw_curves

    write_whole(path.with_suffix(".curves.json"), dump_curves(curves))
    suffix = path.suffix.lower()
    if suffix in _PICTURES:
        write_whole(path.with_suffix(f".curves{suffix}"), render(draw_curves(curves), suffix[1:]))
    for kind in ("deletion", "insertion"):
        areas = [f"{curves.compute_area(other, kind=kind):+.4f} to {other}" for other in ("attention", "random")]
        print(f"{kind}: area from the tree {', '.join(areas)}", file=sys.stderr)
