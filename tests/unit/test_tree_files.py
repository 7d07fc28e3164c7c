"""Trees as files and graphs; files are not trusted."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import networkx as nx
import pytest
from samples import make_attribution

from attattr_core import UserError
from attattr_core.trees.files import dump_graphml, dump_tree, load_tree, make_graph, save_tree
from attattr_core.trees.tree import MODES, build_tree


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("words", [False, True])
def test_a_saved_tree_is_loaded_as_it_was(tmp_path, mode, words):
    tree = build_tree(make_attribution(n_layers=4), mode=mode, words=words, threshold=0.1)
    assert tree.edges
    save_tree(tree, tmp_path / "tree.json")
    assert load_tree(tmp_path / "tree.json") == tree
    content = json.loads((tmp_path / "tree.json").read_text(encoding="utf-8"))
    assert content["edges"] == [[edge.receiver, edge.sender] for edge in tree.edges]
    assert content["tokens"] == list(tree.tokens)


def test_graph_is_a_tree_with_its_tokens_and_values():
    tree = build_tree(make_attribution(n_layers=4))
    graph = make_graph(tree)
    assert nx.is_arborescence(graph)
    assert graph.nodes[0]["token"] == tree.tokens[tree.nodes[0].position]
    edge = tree.edges[0]
    assert graph.edges[edge.parent, edge.child]["attribution"] == edge.attribution


def test_graphml_holds_hostile_tokens(tmp_path):
    attribution = replace(make_attribution(), tokens=("<b>", "\x00\x08", "]]>", "&amp;", '"', "🙂", "שלום", "\ud83d?"))
    attribution = replace(attribution, labels=("\x00no", "\x08yes"), model="<m>\x01\ud800")
    tree = build_tree(attribution, n_edges=100)
    text = dump_graphml(tree).encode("utf-8", "replace").decode()
    ET.fromstring(text)
    assert "<b>" not in text
    save_tree(build_tree(make_attribution()), tmp_path / "tree.graphml")
    assert nx.read_graphml(tmp_path / "tree.graphml").number_of_nodes() > 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content.clear(),
        lambda content: content.update(version=99),
        lambda content: content["nodes"][0].update(position=99),
        lambda content: content["details"][0].update(parent=-1),
        lambda content: content["details"][0].update(attribution=float("inf")),
        lambda content: content["details"][0].update(sender="1"),
        lambda content: content.update(tokens=5),
        lambda content: content.update(mode="<script>"),
    ],
)
def test_a_damaged_file_is_refused_in_one_sentence(tmp_path, spoil):
    content = json.loads(dump_tree(build_tree(make_attribution())))
    spoil(content)
    (tmp_path / "tree.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UserError, match=r"'tree.json' is not a tree of this program, or it is damaged"):
        load_tree(tmp_path / "tree.json")


def test_other_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="There is no file"):
        load_tree(tmp_path / "none.json")
    (tmp_path / "deep.json").write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(UserError, match="not a tree"):
        load_tree(tmp_path / "deep.json")
    with pytest.raises(UserError, match=r"ends in '\.txt'"):
        save_tree(build_tree(make_attribution()), tmp_path / "tree.txt")
