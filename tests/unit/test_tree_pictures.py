"""Pictures of trees and curves: valid files, hostile tokens as text, and no torch behind them."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from samples import make_attribution, make_long_attribution

from attattr_core.pictures import render
from attattr_core.results import summarise_distances, summarise_mode
from attattr_core.trees.curves import DatasetFaithfulness, FaithfulnessCurves
from attattr_core.trees.pictures import draw_curves, draw_dataset, draw_receptive_field, draw_tree
from attattr_core.trees.tree import MODES, build_tree

MAGIC = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}


def make_curves() -> FaithfulnessCurves:
    values = {"tree": np.array([0.9, 0.5]), "attention": np.array([0.9, 0.8]), "random": np.array([[0.9, 0.9]] * 3)}
    return FaithfulnessCurves(np.array([0, 4]), values, values, "probability", "$yes^{")


def make_dataset() -> DatasetFaithfulness:
    generator = np.random.default_rng(0)
    orders = ("tree", "attention", "random")
    distances = generator.integers(1, 9, (5, 3, 2)).astype(float)
    distances[:, 1] = np.nan
    return DatasetFaithfulness(
        counts=np.array([0, 2, 4]),
        drops={order: generator.random((5, 3)) for order in orders},
        whole={order: generator.random(5) for order in orders},
        distances=distances,
        n_edges=np.array([4, 4, 3, 4, 4]),
        n_total=5,
    )


@pytest.mark.parametrize("file_format", MAGIC)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("words", [False, True])
def test_trees_render_in_each_format(file_format, mode, words):
    tree = build_tree(make_attribution(n_layers=4), mode=mode, threshold=0.1, words=words)
    assert tree.edges
    assert render(draw_tree(tree), file_format).startswith(MAGIC[file_format])


@pytest.mark.parametrize("mode", MODES)
def test_a_tree_without_edges_renders(mode):
    empty = replace(make_attribution(), attribution=-np.ones((2, 3, 8, 8), np.float32))
    assert render(draw_tree(build_tree(empty, mode=mode)), "svg").startswith(b"<?xml")


@pytest.mark.parametrize("mode", MODES)
def test_a_long_text_and_many_edges_render(mode):
    tree = build_tree(make_long_attribution(300), mode=mode, n_edges=1000)
    figure = draw_tree(tree)
    assert render(figure, "svg").startswith(b"<?xml")
    assert max(figure.get_size_inches()) <= 20


@pytest.mark.parametrize("mode", MODES)
def test_hostile_tokens_are_text(mode):
    hostile = ("[CLS]", "$x^{2", "${y}", "<script>", "\x00\x1b", "{{z}}", "\\frac", "&amp;")
    attribution = replace(make_attribution(n_layers=4), tokens=hostile, labels=("$$", "<b>"))
    picture = render(draw_tree(build_tree(attribution, mode=mode, threshold=0)), "svg")
    assert ET.fromstring(picture).tag.endswith("svg")
    assert b"<script" not in picture


def test_a_flow_edge_rises_through_its_layer_from_sender_to_receiver():
    tree = build_tree(make_attribution(n_layers=4), n_edges=3)
    axes = draw_tree(tree).axes[0]
    drawn = {tuple(map(tuple, np.round(patch._posA_posB, 6))) for patch in axes.patches if hasattr(patch, "_posA_posB")}
    assert drawn == {((edge.sender, edge.layer / 4), (edge.receiver, (edge.layer + 1) / 4)) for edge in tree.edges}


def test_a_paper_tree_leaves_out_tokens_without_an_edge():
    tree = build_tree(make_attribution(n_layers=4), mode="paper", threshold=0.4)
    written = [text.get_text() for text in draw_tree(tree).axes[0].texts]
    assert len(written) == len(tree.nodes) < len(tree.tokens)


@pytest.mark.parametrize("kind", ["deletion", "insertion"])
def test_curves_say_the_area_in_the_legend(kind):
    curves = make_curves()
    figure = draw_curves(curves, kind=kind)
    names = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert names[0] == "tree"
    assert f"{curves.compute_area('attention', kind=kind):+.3f}" in names[1]
    assert render(figure, "svg").startswith(b"<?xml")


def test_a_data_set_and_its_receptive_field_render():
    measured = make_dataset()
    assert render(draw_dataset(summarise_mode(measured)), "pdf").startswith(b"%PDF")
    field = summarise_distances(measured.distances)
    assert render(draw_receptive_field(field, shown=measured.distances[0]), "png").startswith(b"\x89PNG")
    assert render(draw_receptive_field(field), "svg").startswith(b"<?xml")


def test_drawing_needs_neither_torch_nor_gradio():
    code = "import sys, attattr_core.trees.pictures; print('torch' in sys.modules, 'gradio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
