"""Pictures: valid files of each format, with hostile tokens as plain text."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from samples import make_attribution

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
