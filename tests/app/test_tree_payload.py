"""The message to the tree view: every tree that its sliders can ask for, and never markup."""

import json
from dataclasses import replace

import numpy as np
import pytest
from samples import make_attribution

from attattr_core import load_checkpoint
from attattr_core.errors import UserError
from attattr_core.trees.curves import FaithfulnessCurves
from attattr_core.trees.faithfulness import measure_faithfulness
from attattr_core.trees.tree import build_tree
from attattr_core.ui.curve_payload import Curves, build_field_message, find_shipped, write_csv, write_means_csv
from attattr_core.ui.examples import FIRST, load_example
from attattr_core.ui.running import Session
from attattr_core.ui.tree_measure import measure_shown, stop_measuring
from attattr_core.ui.tree_payload import TreeOptions, build_shown_tree, build_tree_payload, read_options
from attattr_core.ui.tree_tab import fill_tab

ASKED = {"mode": "flow", "n_edges": 5, "threshold": 0.1, "tau": 0.4, "words": True}


def read_edges(view, tree):
    return [
        tuple(view["edges"][index][name] for name in ("layer", "receiver", "sender", "value"))
        for index in tree["edges"]
    ]


def list_edges(tree):
    return [(edge.layer, edge.receiver, edge.sender, edge.attribution) for edge in tree.edges]


@pytest.mark.parametrize("words", [True, False])
def test_every_tree_that_the_sliders_can_ask_for_is_there(words):
    attribution = make_attribution(n_layers=4)
    message = json.loads(build_tree_payload(attribution, run="r", status="done"))
    view = message["views"]["words" if words else "pieces"]
    whole = build_tree(attribution, n_edges=100, words=words)
    assert read_edges(view, view["flow"]) == list_edges(whole)
    assert view["flow"]["root"] == whole.nodes[0].position
    assert len(view["paper"]) == len(message["taus"]) == 21
    for tau, tree in zip(message["taus"], view["paper"], strict=True):
        options = TreeOptions(mode="paper", tau=tau, n_edges=100, words=words)
        assert read_edges(view, tree) == list_edges(build_shown_tree(attribution, options))
        assert read_edges(view, tree) == list_edges(build_tree(attribution, mode="paper", threshold=tau, words=words))


def test_edges_come_with_their_strongest_heads():
    message = json.loads(build_tree_payload(make_attribution(), run="r", status="done"))
    tree = build_tree(make_attribution(), n_edges=100, words=True)
    view = message["views"]["words"]
    for index, edge in zip(view["flow"]["edges"], tree.edges, strict=True):
        heads = view["edges"][index]["heads"]
        assert [value for _, value in heads] == sorted(edge.heads, reverse=True)[:3]
        assert all(edge.heads[head] == value for head, value in heads)


def test_layers_to_come_are_missing_and_nothing_breaks():
    message = json.loads(build_tree_payload(make_attribution(unfinished=0), run="r", status="running"))
    assert message["n_finished"] == 1
    assert {edge["layer"] for edge in message["views"]["pieces"]["edges"]} == {1}


def test_tokens_are_never_markup_on_the_way():
    text = build_tree_payload(make_attribution(), run="r", status="done")
    assert "<" not in text
    assert json.loads(text)["views"]["pieces"]["tokens"][3] == "<b>"


@pytest.mark.parametrize(
    "wrong",
    [None, {}, {**ASKED, "mode": "no"}, {**ASKED, "n_edges": 0}, {**ASKED, "n_edges": 1e99}, {**ASKED, "tau": "x"}],
)
def test_what_the_page_asks_is_not_trusted(wrong):
    with pytest.raises(UserError, match="reload"):
        read_options(wrong)


def test_the_first_screen_is_filled_and_reproducible():
    result = load_example(FIRST)
    tree, curves, means, field, kept, _ = fill_tab(Session(result, "first", "example"))
    assert all(json.loads(value) for value in (tree, curves, means, field))
    tree = build_shown_tree(result, TreeOptions())
    fresh = measure_faithfulness(load_checkpoint(result.model), result, tree)
    assert kept.curves.counts.tolist() == fresh.counts.tolist()
    np.testing.assert_allclose(kept.curves.deletion["tree"], fresh.deletion["tree"], atol=1e-4)
    np.testing.assert_allclose(kept.curves.insertion["random"], fresh.insertion["random"], atol=1e-4)


def test_figures_of_other_weights_are_not_shown():
    result = load_example(FIRST)
    assert find_shipped(result) is not None
    other = replace(result, revision="other")
    assert find_shipped(other) is None
    assert json.loads(build_field_message(other, None))["quantiles"] is None
    assert find_shipped(replace(result, model="../results/faithfulness-snli")) is None


def test_a_long_running_text_waits_for_its_end():
    running = Session(load_example(FIRST), "r", "running")
    assert json.loads(fill_tab(running)[0])["status"] == "running"


def test_only_what_is_on_the_server_is_measured():
    session = Session(make_attribution(), "r", "done")
    for asked, sentence in (
        (None, "no longer on the server"),
        ({"run": "other"}, "no longer on the server"),
        ({"run": "r", "view": {}}, "reload"),
    ):
        *_, (chart, status, _) = measure_shown(None, "sst2", None, session, asked)
        assert sentence in json.loads(status)["text"]
        assert json.loads(chart)["status"] == "refused"
    partial = Session(make_attribution(unfinished=0), "r", "stopped")
    *_, (_, status, _) = measure_shown(None, "sst2", None, partial, {"run": "r", "view": ASKED})
    assert "Not all layers" in json.loads(status)["text"]


def test_a_stop_keeps_what_was_measured():
    curves = FaithfulnessCurves(
        np.array([0, 1]),
        *({"tree": np.ones(2), "attention": np.ones(2), "random": np.ones((3, 2))} for _ in range(2)),
        function="logit",
        label="yes",
    )
    kept = Curves("r", TreeOptions(), curves, 20, "measuring")
    chart, means, state, _ = stop_measuring(kept, None)
    assert json.loads(chart)["status"] == state.status == "stopped"
    assert json.loads(chart)["n_done"] == 2
    assert json.loads(means)["status"] == "refused"
    table = write_csv(curves).splitlines()
    assert len(table) == 3
    assert table[0].startswith("edges,deletion tree,deletion attention,deletion random 1")


def test_means_are_written_as_a_table():
    rows = write_means_csv(find_shipped(load_example(FIRST)).means).splitlines()
    assert rows[0] == "mode,order,edges,mean drop,low,high"
    assert len(rows) == 1 + 2 * 3 * 9
