"""Cutting a tree leaves a tree: its first edges without the weak ones and what hangs on them."""

import pytest
from samples import make_attribution

from attattr_core.errors import UserError
from attattr_core.trees.cut import cut_tree
from attattr_core.trees.files import load_tree, save_tree
from attattr_core.trees.tree import MODES, build_paper_trees, build_tree


@pytest.fixture(params=[(mode, words) for mode in MODES for words in (True, False)], ids=str)
def tree(request):
    mode, words = request.param
    return build_tree(make_attribution(n_layers=4), mode=mode, threshold=0, n_edges=100, words=words)


def name(edges):
    return [(edge.layer, edge.receiver, edge.sender, edge.attribution) for edge in edges]


def test_nothing_is_cut_by_default(tree):
    assert cut_tree(tree) == tree


@pytest.mark.parametrize("n_edges", [0, 1, 3, 1000])
def test_the_first_edges_stay(tree, n_edges):
    assert name(cut_tree(tree, n_edges=n_edges).edges) == name(tree.edges[:n_edges])


@pytest.mark.parametrize("n_edges", [0, 1, 3, 8])
@pytest.mark.parametrize("words", [True, False])
def test_a_smaller_budget_gives_the_same_tree(n_edges, words):
    attribution = make_attribution(n_layers=4)
    tree = build_tree(attribution, n_edges=100, words=words)
    assert cut_tree(tree, n_edges=n_edges) == build_tree(attribution, n_edges=n_edges, words=words)


@pytest.mark.parametrize("threshold", [0, 0.1, 0.3, 0.6, 1])
def test_an_edge_goes_with_all_that_hangs_on_it(tree, threshold, tmp_path):
    cut = cut_tree(tree, threshold=threshold)
    least = threshold * max(edge.attribution for edge in tree.edges)
    strong = [edge for edge in tree.edges if edge.attribution >= least]

    def reaches_root(edge, stack=()):
        """Whether the receiver is the root, or the sender of a strong edge above that reaches it."""
        if edge.receiver == tree.nodes[0].position:
            return True
        above = [one for one in strong if one.sender == edge.receiver and one not in stack]
        if tree.mode == "flow":
            above = [one for one in above if one.layer > edge.layer]
        return any(reaches_root(one, (*stack, edge)) for one in above)

    assert name(cut.edges) == name(edge for edge in strong if reaches_root(edge))
    assert len(cut.nodes) == len(cut.edges) + 1
    for edge in cut.edges:
        assert cut.nodes[edge.child].position == edge.sender
        assert cut.nodes[edge.parent].position == edge.receiver
        assert tree.mode == "paper" or cut.nodes[edge.parent].layer > edge.layer
    save_tree(cut, tmp_path / "cut.json")
    assert load_tree(tmp_path / "cut.json") == cut


@pytest.mark.parametrize("options", [{"threshold": -0.1}, {"threshold": 1.1}, {"n_edges": -1}])
def test_bad_numbers_are_one_sentence(tree, options):
    with pytest.raises(UserError, match="choose"):
        cut_tree(tree, **options)


@pytest.mark.parametrize("words", [True, False])
def test_many_thresholds_at_once_give_the_same_trees(words):
    attribution, thresholds = make_attribution(n_layers=5), (0, 0.05, 0.4, 1)
    trees = build_paper_trees(attribution, thresholds, words=words)
    assert trees == [build_tree(attribution, mode="paper", threshold=tau, words=words) for tau in thresholds]
