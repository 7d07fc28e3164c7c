"""Pictures of importance: colours say what they say everywhere, several grids side by side."""

import numpy as np
import pytest

from attattr_core import UserError
from attattr_core.heads.pictures_importance import NAMES, draw_importance
from attattr_core.heads.results import METHODS, HeadImportance
from attattr_core.pictures import FORMATS, render


def make(method="attattr", values=((0.0, 1.0, 0.5), (0.2, 3.0, 0.1))) -> HeadImportance:
    return HeadImportance(np.array(values), method, model="sst2", data="dev $set$.tsv", n_examples=9)


def find_grid(figure, index=0):
    return figure.axes[index].images[0]


def test_a_grid_shows_the_numbers_with_the_top_layer_at_the_top():
    figure = draw_importance(make())
    image = find_grid(figure)
    np.testing.assert_array_equal(image.get_array(), make().values)
    assert image.origin == "lower"
    assert (image.cmap.name, image.get_clim()) == ("head", (0, 3))
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["1", "2"]
    assert "sst2" in figure.get_suptitle()


def test_scales_say_what_they_say_elsewhere():
    assert find_grid(draw_importance(make("attention"))).cmap.name == "attention"
    lost = find_grid(draw_importance(make("ablation", ((-0.02, 0.01),))))
    assert (lost.cmap.name, lost.get_clim()) == ("attribution", (-0.02, 0.02))
    # what tells equal accuracies apart gives no second side
    assert find_grid(draw_importance(make("ablation", ((-1e-6, 0.01),)))).cmap.name == "head"
    assert find_grid(draw_importance(make(values=((0.0, 0.0),)))).get_clim() == (0, 1)


def test_all_methods_side_by_side():
    figure = draw_importance([make(method) for method in METHODS])
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == [NAMES[method] for method in METHODS]
    for file_format in FORMATS:
        assert len(render(figure, file_format)) > 1000
    with pytest.raises(UserError, match="2 different shapes"):
        draw_importance([make(), make(values=((1.0, 2.0),))])
    with pytest.raises(UserError, match="0 different shapes"):
        draw_importance([])
