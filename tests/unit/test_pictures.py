"""Pictures: valid files of each format, with hostile tokens as plain text."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from samples import make_attribution, make_long_attribution

from attattr_core import UserError
from attattr_core.pictures import draw_maps, draw_overview, render
from attattr_core.view import select_map

MAGIC = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}


@pytest.mark.parametrize("file_format", MAGIC)
@pytest.mark.parametrize("picture", ["matrix", "arcs"])
def test_maps_render_in_each_format(file_format, picture):
    figure = draw_maps(select_map(make_attribution(), 0, 1, flow="A→B"), picture=picture)
    assert render(figure, file_format).startswith(MAGIC[file_format])


def test_the_overview_renders_an_unfinished_result():
    assert render(draw_overview(make_attribution(unfinished=1)), "svg").startswith(b"<?xml")


def test_hostile_tokens_are_text():
    hostile = ("[CLS]", "$x^{2", "${y}", "<script>", "\x00\x1b", "{{z}}", "\\frac", "&amp;")
    attribution = replace(make_attribution(), tokens=hostile, labels=("$$", "<b>"))
    picture = render(draw_overview(attribution, layer=0), "svg")
    assert ET.fromstring(picture).tag.endswith("svg")
    assert b"<script" not in picture


def test_equal_figures_give_equal_files():
    draw = [render(draw_maps(select_map(make_attribution(), 0)), "pdf") for _ in range(2)]
    assert draw[0] == draw[1]


def test_a_common_limit_changes_the_scale():
    view = select_map(make_attribution(), 0, 0)
    assert render(draw_maps(view), "png") != render(draw_maps(view, limit=100.0), "png")


def test_other_formats_are_refused():
    with pytest.raises(UserError, match="'gif'"):
        render(draw_overview(make_attribution()), "gif")


def test_many_arcs_are_cut_to_the_strongest_and_the_title_says_so():
    figure = draw_maps(select_map(make_long_attribution(192), 0, 0), picture="arcs")
    left = figure.axes[0]
    (lines,) = left.collections
    assert len(lines.get_segments()) == 1500
    assert not left.lines
    assert "strongest 1,500 of 36,864" in left.get_title()
    receivers = {segment[0][1] for segment in lines.get_segments()}
    assert len(receivers) > 150, "equal entries are taken from the whole map"


def test_few_arcs_are_all_drawn_from_receiver_to_sender():
    view = select_map(make_attribution(), 0, 0)
    right = draw_maps(view, picture="arcs").axes[1]
    segments = right.collections[0].get_segments()
    visible = np.abs(view.attribution) >= 0.01 * np.abs(view.attribution).max()
    assert {(int(start[1]), int(end[1])) for start, end in segments} == set(zip(*np.nonzero(visible), strict=True))
    strongest = np.unravel_index(np.abs(view.attribution).argmax(), view.attribution.shape)
    np.testing.assert_array_equal(segments[-1], [(0, strongest[0]), (1, strongest[1])])
    assert "strongest" not in right.get_title()


def test_the_bar_of_the_grid_lies_below_it():
    figure = draw_overview(make_attribution())
    render(figure, "png")
    grid, bar = figure.axes[0].get_window_extent(), figure.axes[0].child_axes[0].get_window_extent()
    assert bar.y1 < grid.y0
    assert bar.width == pytest.approx(grid.width)
