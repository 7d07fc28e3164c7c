"""Attribution trees as files and graphs: JSON, GraphML, networkx."""

import json
import operator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attattr_core.errors import UserError
from attattr_core.files.json_files import reading_json
from attattr_core.files.whole_files import write_whole
from attattr_core.storage import clean_text
from attattr_core.trees.tree import MODES, AttributionTree, TreeEdge, TreeNode

if TYPE_CHECKING:
    from networkx import DiGraph

FORMAT, VERSION = "attattr-tree", 1
_MAX_BYTES = 64 << 20


def make_graph(tree: AttributionTree) -> "DiGraph":
    """Makes a networkx graph, from receivers to senders, with plain attributes that GraphML can hold."""
    from networkx import DiGraph

    about = {name: _drop_controls(getattr(tree, name)) for name in ("mode", "model", "label", "function")}
    graph = DiGraph(**about)
    for index, node in enumerate(tree.nodes):
        token, sentence = _drop_controls(tree.tokens[node.position]), tree.sentences[node.position]
        graph.add_node(index, token=token, sentence=sentence, **asdict(node))
    for edge in tree.edges:
        heads = " ".join(f"{value:.4g}" for value in edge.heads)
        graph.add_edge(edge.parent, edge.child, layer=edge.layer, attribution=edge.attribution, heads=heads)
    return graph


def dump_tree(tree: AttributionTree) -> str:
    """Writes a tree as JSON: ``edges`` as pairs [receiver, sender] and ``height`` by position, as the authors do."""
    tops: dict[int, float] = {}
    for node in tree.nodes:
        tops[node.position] = max(node.height, tops.get(node.position, node.height))
    heights = {str(position): tops.get(position, 0.0) for position in range(len(tree.tokens))}  # 0 outside the tree
    details = [asdict(edge) for edge in tree.edges]
    content = {**asdict(tree), "edges": [[edge.receiver, edge.sender] for edge in tree.edges]}
    return json.dumps(
        {
            "format": FORMAT,
            "version": VERSION,
            **content,
            "height": heights,
            "details": details,
            "kept": tree.kept_share,
        },
        ensure_ascii=False,
        allow_nan=False,
    )


def save_tree(tree: AttributionTree, path: str | Path) -> None:
    """Saves a tree as ``….json``, which `load_tree` reads, or as ``….graphml``.

    Raises:
        UserError: When the suffix is neither.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".json", ".graphml"):
        raise UserError(f"{str(path)!r} ends in {suffix!r}: save a tree as .json or .graphml.")
    write_whole(path, dump_tree(tree) if suffix == ".json" else dump_graphml(tree))


def dump_graphml(tree: AttributionTree) -> str:
    """Writes a tree as GraphML, which Gephi, yEd and Cytoscape read."""
    from networkx import generate_graphml

    return "\n".join(generate_graphml(make_graph(tree))) + "\n"


def load_tree(path: str | Path) -> AttributionTree:
    """Loads a tree that `save_tree` wrote as JSON; the file is not trusted.

    Raises:
        UserError: When the file is missing, too large, damaged or something else.
    """
    complaint = "is not a tree of this program, or it is damaged: save it again"
    with reading_json(path, max_bytes=_MAX_BYTES, complaint=complaint) as content:
        return _assemble(content)


def _assemble(content: Any) -> AttributionTree:
    if content["format"] != FORMAT or content["version"] != VERSION:
        raise ValueError("another format")
    tokens = tuple(clean_text(token) for token in content["tokens"])
    index = operator.index
    nodes = tuple(TreeNode(index(n["position"]), index(n["layer"]), float(n["height"])) for n in content["nodes"])
    tree = AttributionTree(
        mode=clean_text(content["mode"]),
        n_layers=index(content["n_layers"]),
        tokens=tokens,
        sentences=tuple(index(sentence) for sentence in content["sentences"]),
        members=tuple(tuple(index(position) for position in group) for group in content["members"]),
        nodes=nodes,
        edges=tuple(_read_edge(edge) for edge in content["details"]),
        mass=float(content["mass"]),
        **{name: clean_text(content[name]) for name in ("model", "revision", "label", "function")},
    )
    _check_tree(tree)
    return tree


def _read_edge(content: dict[str, Any]) -> TreeEdge:
    places = {name: operator.index(content[name]) for name in ("layer", "receiver", "sender", "parent", "child")}
    heads = tuple(float(value) for value in content["heads"])
    return TreeEdge(**places, attribution=float(content["attribution"]), heads=heads)


def _check_tree(tree: AttributionTree) -> None:
    """Raises ValueError where a file's parts do not fit each other."""
    n_tokens, n_nodes = len(tree.tokens), len(tree.nodes)
    numbers = [tree.mass, *(node.height for node in tree.nodes)]
    numbers += [value for edge in tree.edges for value in (edge.attribution, *edge.heads)]
    fits = (
        tree.mode in MODES
        and len(tree.sentences) == len(tree.members) == n_tokens
        and set(tree.sentences) <= {-1, 0, 1}
        and n_nodes > 0
        and all(0 <= node.position < n_tokens and 0 <= node.layer <= tree.n_layers for node in tree.nodes)
        and all(0 <= edge.parent < n_nodes and 0 < edge.child < n_nodes for edge in tree.edges)
        and all(0 <= edge.layer < tree.n_layers for edge in tree.edges)
        and all(tree.nodes[edge.child].position == edge.sender for edge in tree.edges)
        and all(tree.nodes[edge.parent].position == edge.receiver for edge in tree.edges)
        and all(position >= 0 for group in tree.members for position in group)
        and bool(np.isfinite(numbers).all())
    )
    if not fits:
        raise ValueError("the parts do not fit")


def _drop_controls(text: str) -> str:
    """Leaves out what XML cannot hold."""
    return "".join(character for character in text if character.isprintable()) or "·"
