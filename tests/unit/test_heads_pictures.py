"""Pictures of heads: valid files, hostile names as text, and no torch behind them."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from test_study_files import make_curve, make_study

from attattr_core import UserError
from attattr_core.heads.comparison import compare_importances
from attattr_core.heads.pictures import choose_colours, draw_comparison, draw_curves, draw_importances, draw_mask
from attattr_core.heads.results import HeadImportance
from attattr_core.pictures import render

MAGIC = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}
HOSTILE = "$\\frac{<script>&\x00_^"


STUDY = make_study()
PICTURES = {
    "curves": lambda: draw_curves(replace(STUDY, model=HOSTILE, data=HOSTILE)),
    "one direction": lambda: draw_curves(STUDY, direction="most-first"),
    "layerwise": lambda: draw_curves(STUDY, layerwise=True),
    "other methods": lambda: draw_curves(replace(STUDY, curves=(make_curve(HOSTILE, "least-first"),))),
    "random alone": lambda: draw_curves(replace(STUDY, curves=STUDY.curves[-1:])),
    "importances": lambda: draw_importances({**STUDY.importances, HOSTILE: STUDY.importances["attattr"]}),
    "no importance at all": lambda: draw_importances({"a": HeadImportance(np.zeros((1, 1)), "a")}),
    "mask": lambda: draw_mask(np.arange(6).reshape(2, 3) > 1, title=HOSTILE),
    "large mask": lambda: draw_mask(np.ones((24, 48))),
    "comparison": lambda: draw_comparison(compare_importances(*STUDY.importances.values()), names=(HOSTILE, "b")),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_render(name):
    content = render(PICTURES[name](), "svg")
    assert ET.fromstring(content).tag.endswith("svg")
    assert b"<script>" not in content


@pytest.mark.parametrize("file_format", MAGIC)
def test_curves_render_in_each_format(file_format):
    assert render(draw_curves(make_study()), file_format).startswith(MAGIC[file_format])


def test_the_legend_has_areas_and_random_orders_last():
    figure = draw_curves(make_study())
    assert [axes.get_title() for axes in figure.axes] == ["least important first", "most important first"]
    for axes in figure.axes:
        texts = [text.get_text() for text in axes.get_legend().get_texts()]
        assert len(texts) == 3
        assert texts[0] == "attribution: area 0.700 (0.650 to 0.750)"
        assert texts[-1] == "3 random orders: area 0.700 (0.650 to 0.750)"


def test_the_mask_counts():
    assert "2 of 6 heads pruned (33%)" in draw_mask(np.arange(6).reshape(2, 3) > 1).axes[0].get_title()


def test_unknown_methods_have_colours_of_their_own():
    colours = choose_colours(["attattr", "first file", "second file"])
    assert len({colours["first file"], colours["second file"]}) == 2


def test_nothing_to_draw_is_said():
    with pytest.raises(UserError, match="measure them first"):
        draw_curves(replace(make_study(), curves=()))
    with pytest.raises(UserError, match="no such curves"):
        draw_curves(replace(make_study(), layerwise=()), layerwise=True)
    with pytest.raises(UserError, match="no importance"):
        draw_importances({})


def test_drawing_knows_neither_torch_nor_gradio():
    code = (
        "import sys, attattr_core.heads.pictures, attattr_core.heads.study_files, attattr_core.heads.summary; "
        "print([name for name in ('torch', 'gradio', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
