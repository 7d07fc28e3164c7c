"""Attribution trees: the authors' edges, trees drawn by hand, and cases at the edge."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from plain_tree import grow_plainly
from samples import make_attribution

from attattr_core import Settings, UserError
from attattr_core.attribution import Attribution
from attattr_core.trees.modes import grow_flow_tree
from attattr_core.trees.tree import MODES, AttributionTree, build_tree, find_root

TOKENS = ("[CLS]", "not", "bad", "not", "[SEP]")


def draw(
    entries: dict[tuple[int, int, int], float], n_layers: int = 3, tokens: tuple[str, ...] = TOKENS
) -> Attribution:
    """An attribution of one head whose entries (layer, receiver, sender) are given; the rest is zero."""
    maps = np.zeros((n_layers, 1, len(tokens), len(tokens)), np.float32)
    for (layer, receiver, sender), value in entries.items():
        maps[layer, 0, receiver, sender] = value
    return Attribution(
        attention=np.full_like(maps, 1 / len(tokens)),
        attribution=maps,
        tokens=tokens,
        sentences=tuple(-1 if token.startswith("[") else 0 for token in tokens),
        words=tuple(-1 if token.startswith("[") else index for index, token in enumerate(tokens)),
        word_labels=tokens,
        texts=(" ".join(tokens),),
        labels=("negative", "positive"),
        probabilities=np.array([0.1, 0.9]),
        target=1,
        output=0.9,
        baseline_output=np.full(n_layers, 0.5),
        convergence_delta=np.zeros(n_layers),
        n_nodes=np.full(n_layers, 4),
        model="drawn",
        revision="",
        settings=Settings(),
    )


def list_edges(tree: AttributionTree) -> list[tuple[int, int, int]]:
    return [(edge.layer, edge.receiver, edge.sender) for edge in tree.edges]


@pytest.mark.parametrize(("task", "index"), [(task, index) for task in ("sst-2", "mnli") for index in range(4)])
def test_paper_mode_gives_the_authors_edges(golden, task, index):
    expected = json.loads((golden / task / f"tree_{index}.json").read_text(encoding="utf-8"))
    with np.load(golden / task / f"example_{index}.npz") as example:
        drawn = draw({}, len(example["attribution"]), tuple(expected["tokens"]))
        tree = build_tree(
            replace(drawn, attribution=example["attribution"], attention=example["attention"]), mode="paper"
        )
    assert sorted([edge.receiver, edge.sender] for edge in tree.edges) == sorted(expected["edges"])
    assert len(tree.edges) > 0
    for node in tree.nodes:
        assert node.height == pytest.approx(expected["height"][str(node.position)])


def test_paper_tree_drawn_by_hand():
    # The top node is 2, which receives most. Layer 2 is not used; layer 1 opens "not"; layer 0 hangs the other on it.
    attribution = draw({(2, 2, 4): 5.0, (1, 2, 1): 1.0, (0, 1, 3): 1.0, (0, 3, 4): 0.9})
    tree = build_tree(attribution, mode="paper")
    assert list_edges(tree) == [(1, 2, 1), (0, 1, 3), (0, 3, 4)]
    assert [(node.position, node.layer) for node in tree.nodes] == [(2, 3), (1, 1), (3, 0), (4, 0)]
    assert tree.nodes[0].height == pytest.approx(2 / 3)
    assert tree.mass == pytest.approx(7.9)
    assert tree.kept_share == pytest.approx(2.9 / 7.9)


def test_paper_threshold_leaves_weak_edges_out():
    attribution = draw({(2, 2, 4): 5.0, (1, 2, 1): 1.0, (0, 1, 3): 1.0, (0, 3, 4): 0.3})
    assert list_edges(build_tree(attribution, mode="paper")) == [(1, 2, 1), (0, 1, 3)]
    assert list_edges(build_tree(attribution, mode="paper", threshold=0.2))[-1] == (0, 3, 4)
    assert build_tree(attribution, mode="paper", threshold=1).edges == ()


def test_flow_tree_drawn_by_hand():
    # "bad" reaches [CLS] in layer 2 and gathers "not" below; the strong edge into 4 hangs on nothing and stays out.
    attribution = draw({(2, 0, 2): 1.0, (1, 2, 1): 0.8, (0, 1, 3): 0.5, (1, 0, 1): 0.2, (0, 4, 3): 9.0, (0, 0, 0): 7.0})
    tree = build_tree(attribution)
    assert list_edges(tree) == [(2, 0, 2), (1, 2, 1), (0, 1, 3)]
    assert [(node.position, node.layer) for node in tree.nodes] == [(0, 3), (2, 2), (1, 1), (3, 0)]
    assert [(edge.parent, edge.child) for edge in tree.edges] == [(0, 1), (1, 2), (2, 3)]
    assert [node.height for node in tree.nodes] == pytest.approx([1, 2 / 3, 1 / 3, 0])
    assert tree.receptive_field == ((2, 2), (1, 1), (0, 2))


@pytest.mark.parametrize("threshold", [0, 0.1, 0.5, 1])
def test_flow_gives_the_edges_of_the_plain_version(threshold):
    generator = np.random.default_rng(0)
    for turn in range(200):
        n_layers, n_tokens = generator.integers(1, 6), generator.integers(1, 8)
        values = generator.normal(size=(n_layers, n_tokens, n_tokens))
        values = np.round(2 * values) / 2 if turn % 3 == 0 else values  # ties
        options = int(generator.integers(n_tokens)), int(generator.integers(60))
        expected = grow_plainly(values, *options, threshold=threshold)
        assert grow_flow_tree(values, *options, threshold=threshold) == expected


def test_flow_grows_a_large_tree_in_time():
    values = np.random.default_rng(0).normal(size=(12, 512, 512))
    start = time.perf_counter()
    assert len(grow_flow_tree(values, 0, 100)) == 100
    assert time.perf_counter() - start < 1


def test_flow_looks_one_edge_ahead():
    # 1 is worth a little less than 4, but opens a strong edge.
    attribution = draw({(2, 0, 1): 1.0, (2, 0, 4): 1.1, (1, 1, 3): 0.9})
    assert list_edges(build_tree(attribution, n_edges=1)) == [(2, 0, 1)]


def test_a_state_passes_through_the_layers_between():
    tree = build_tree(draw({(2, 0, 1): 1.0, (0, 1, 2): 0.5}))
    assert list_edges(tree) == [(2, 0, 1), (0, 1, 2)]
    assert tree.edges[1].parent == 1


def test_a_token_joins_again_in_another_layer_with_a_node_of_its_own():
    tree = build_tree(draw({(2, 0, 1): 1.0, (1, 0, 1): 0.9, (0, 1, 2): 0.5}))
    assert [(node.position, node.layer) for node in tree.nodes] == [(0, 3), (1, 2), (1, 1), (2, 0)]
    assert tree.edges[2].parent == 2  # the nearest above


def test_repeated_words_stay_apart():
    tree = build_tree(draw({(2, 0, 1): 1.0, (1, 0, 3): 0.9}))
    assert [tree.tokens[edge.sender] for edge in tree.edges] == ["not", "not"]
    assert [edge.sender for edge in tree.edges] == [1, 3]


def test_ties_go_to_the_first_by_layer_receiver_and_sender():
    tied = draw({(2, 0, 1): 1.0, (2, 0, 2): 1.0, (2, 0, 3): 1.0})
    assert list_edges(build_tree(tied)) == [(2, 0, 1), (2, 0, 2), (2, 0, 3)]


def test_a_budget_of_edges_or_of_mass_keeps_a_beginning():
    attribution = draw({(2, 0, 1): 4.0, (2, 0, 2): 3.0, (1, 0, 3): 2.0, (0, 0, 4): 1.0})
    whole = build_tree(attribution)
    assert whole.kept_share == pytest.approx(1)
    assert list_edges(build_tree(attribution, n_edges=2)) == list_edges(whole)[:2]
    assert len(build_tree(attribution, mass=0.7).edges) == 2
    assert len(build_tree(attribution, mass=0.71).edges) == 3
    assert build_tree(attribution, n_edges=0).edges == ()
    assert len(build_tree(attribution, threshold=0.5).edges) == 3


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("n_layers", [1, 2, 24])
@pytest.mark.parametrize("tokens", [("[CLS]",), ("[CLS]", "a"), TOKENS])
@pytest.mark.parametrize("threshold", [0, 0.4, 1])
@pytest.mark.parametrize("kind", ["random", "negative", "zero", "equal"])
def test_cases_at_the_edge_give_a_tree(mode, n_layers, tokens, threshold, kind):
    shape = (n_layers, 2, len(tokens), len(tokens))
    drawn = np.random.default_rng(0).normal(size=shape)
    values = {"random": drawn, "negative": -np.abs(drawn), "zero": np.zeros(shape), "equal": np.ones(shape)}[kind]
    attribution = replace(
        draw({}, n_layers, tokens), attribution=values.astype(np.float32), attention=np.full(shape, 0.5, np.float32)
    )
    tree = build_tree(attribution, mode=mode, threshold=threshold)
    children = [edge.child for edge in tree.edges]
    assert len(set(children)) == len(children)  # one parent a node
    assert set(children) == set(range(1, len(tree.nodes)))
    for edge in tree.edges:
        assert tree.nodes[edge.parent].position == edge.receiver
        assert tree.nodes[edge.child].position == edge.sender
        assert edge.attribution == pytest.approx(sum(edge.heads))
        assert mode == "paper" or tree.nodes[edge.parent].layer > edge.layer
    assert 0 <= tree.kept_share <= 1 + 1e-12
    if kind in ("negative", "zero"):
        assert tree.edges == ()


def test_the_first_edge_of_a_one_layer_model_reaches_the_root():
    assert list_edges(build_tree(draw({(0, 0, 2): 1.0}, n_layers=1))) == [(0, 0, 2)]


def test_the_root_is_the_token_that_the_classifier_reads():
    last_token = draw({(2, 4, 1): 1.0, (1, 1, 2): 3.0, (0, 0, 3): 9.0})
    assert find_root(last_token) == 4
    assert list_edges(build_tree(last_token)) == [(2, 4, 1), (1, 1, 2)]


def test_a_stopped_result_gives_the_tree_of_its_finished_layers():
    attribution = draw({(2, 0, 1): 1.0, (1, 1, 2): 1.0, (0, 2, 3): 1.0})
    maps = attribution.attribution.copy()
    maps[0] = np.nan
    assert list_edges(build_tree(replace(attribution, attribution=maps))) == [(2, 0, 1), (1, 1, 2)]


def test_merged_words_stand_for_all_their_pieces():
    tree = build_tree(make_attribution(), words=True, n_edges=50)
    assert tree.tokens[1] == "playing"
    assert tree.members[1] == (1, 2)
    edge = next(edge for edge in tree.edges if edge.receiver == 1 or edge.sender == 1)
    listed = tree.list_token_edges()[tree.edges.index(edge)]
    assert len(listed) == 2
    total = sum(make_attribution().attribution[layer, :, i, j].sum() for layer, i, j in listed)
    assert edge.attribution == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"mode": "oak"}, "Unknown tree mode 'oak'"),
        ({"threshold": 1.5}, "threshold is 1.5"),
        ({"threshold": float("nan")}, "threshold is nan"),
        ({"mass": -1}, "mass is -1"),
        ({"n_edges": -1}, "number of edges is -1"),
    ],
)
def test_options_out_of_range_are_named(options, sentence):
    with pytest.raises(UserError, match=sentence):
        build_tree(draw({}), **options)
