"""The bundle of what is shown: the result with its pictures, its tree, and words for how it is looked at."""

import re
from typing import Any

from attattr_core.attribution import Attribution
from attattr_core.bundle import check_view, dump_bundle
from attattr_core.errors import UserError
from attattr_core.ui.components import pack_download
from attattr_core.ui.link import FIELDS
from attattr_core.ui.tree_payload import MAX_EDGES, TreeOptions, build_shown_tree, read_options
from attattr_core.view import find_common_limit, find_strongest_head, select_map


def pack_bundle(result: Attribution, words: Any) -> str:
    """Packs a bundle for the downloader.

    Args:
        result: The result shown.
        words: How it is looked at, as the page's address says it; not trusted.

    Raises:
        UserError: When that is something else.
    """
    from attattr_core.pictures import render
    from attattr_core.trees.pictures import draw_tree

    try:
        words = {name: value for name, value in check_view(words).items() if name not in FIELDS}
        tree = build_shown_tree(result, read_options(_read_tree(words)))
        heatmap = _draw_map(result, words)
    except (AttributeError, ValueError) as error:
        raise UserError("The page did not say what it shows: reload it.") from error
    pictures = {"heatmap.svg": heatmap, "tree.svg": render(draw_tree(tree), "svg")}
    content = dump_bundle(result, view=words, pictures=pictures, tree=tree)
    name = re.sub(r"[^\w.-]+", "-", result.model) or "result"
    return pack_download(f"attattr-{name}.zip", content, "application/zip")


def _draw_map(result: Attribution, words: dict[str, str]) -> bytes:
    """Draws the map that words name, or the strongest head where they name none."""
    from attattr_core.pictures import draw_maps, render

    layer, head = find_strongest_head(result)
    if "layer" in words:
        layer, head = int(words["layer"]) - 1, None if words.get("head") == "sum" else int(words.get("head", 1)) - 1
    flow = words.get("flow", "all").replace("-", "→")
    is_on = {name: words.get(name) != "0" for name in ("specials", "words")}
    limit = find_common_limit(result, head) if words.get("scale") == "common" else None
    view = select_map(result, layer, head, flow=flow, **is_on)
    return render(draw_maps(view, limit=limit, picture=words.get("picture", "matrix")), "svg")


def _read_tree(words: dict[str, str]) -> dict[str, Any]:
    """The options of `attattr_core.ui.tree_payload.read_options` that words name."""
    mode = words.get("tree", TreeOptions.mode)
    return {
        "mode": mode,
        "n_edges": words.get("edges", MAX_EDGES if mode == "paper" else TreeOptions.n_edges),
        "threshold": words.get("threshold", TreeOptions.threshold),
        "tau": words.get("tau", TreeOptions.tau),
        "words": words.get("tree-words") != "0",
    }
