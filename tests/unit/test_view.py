"""What is shown of an attribution: heads, words, special tokens, flows."""

import numpy as np
import pytest
from samples import make_attribution

from attattr_core import UserError
from attattr_core.view import find_strongest_head, select_map


def test_one_head_is_shown_as_it_is():
    attribution = make_attribution()
    view = select_map(attribution, 1, 2)
    np.testing.assert_array_equal(view.attention, attribution.attention[1, 2])
    np.testing.assert_array_equal(view.attribution, attribution.attribution[1, 2])
    assert view.title == "layer 2 · head 3"
    assert view.tokens == attribution.tokens


def test_all_heads_sum_attribution_and_average_attention():
    attribution = make_attribution()
    view = select_map(attribution, 0)
    np.testing.assert_allclose(view.attribution, attribution.attribution[0].sum(0), rtol=1e-6)
    np.testing.assert_allclose(view.attention.sum(1), 1, rtol=1e-5)


def test_merged_words_keep_the_total_attribution_and_rows_that_sum_to_one():
    attribution = make_attribution()
    view = select_map(attribution, 0, 1, words=True)
    assert view.tokens == ("[CLS]", "playing", "<b>", "[SEP]", "🙂", "שלום", "[SEP]")
    np.testing.assert_allclose(view.attribution.sum(), attribution.attribution[0, 1].sum(), rtol=1e-5)
    np.testing.assert_allclose(view.attention.sum(1), 1, rtol=1e-5)
    pieces = attribution.attention[0, 1][1:3, 1:3]
    np.testing.assert_allclose(view.attention[1, 1], pieces.sum() / 2, rtol=1e-5)


def test_repeated_words_stay_apart():
    attribution = make_attribution()
    repeated = type(attribution)(**{**vars(attribution), "word_labels": ("same",) * 4})
    assert len(select_map(repeated, 0, 0, words=True).tokens) == 7


def test_special_tokens_can_be_hidden_without_renormalising():
    attribution = make_attribution()
    view = select_map(attribution, 0, 0, specials=False)
    kept = [1, 2, 3, 5, 6]
    np.testing.assert_array_equal(view.attention, attribution.attention[0, 0][np.ix_(kept, kept)])


@pytest.mark.parametrize(
    ("flow", "receivers", "senders"),
    [("A→A", {1, 2, 3}, {1, 2, 3}), ("A→B", {5, 6}, {1, 2, 3}), ("B→A", {1, 2, 3}, {5, 6}), ("B→B", {5, 6}, {5, 6})],
)
def test_a_flow_keeps_its_receivers_and_senders(flow, receivers, senders):
    shown = ~np.isnan(select_map(make_attribution(), 0, 0, flow=flow).attribution)
    assert {(int(i), int(j)) for i, j in zip(*np.nonzero(shown), strict=True)} == {
        (i, j) for i in receivers for j in senders
    }


def test_the_strongest_head_is_of_a_finished_layer():
    attribution = make_attribution(unfinished=1)
    layer, head = find_strongest_head(attribution)
    assert layer == 0
    assert attribution.head_maximum[0, head] == attribution.head_maximum[0].max()


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        ((2,), {}, "no layer 3"),
        ((-1,), {}, "no layer 0"),
        ((0, 3), {}, "no head 4"),
        ((0, 0), {"flow": "C→A"}, "'C→A'"),
    ],
)
def test_what_does_not_exist_is_named(arguments, options, sentence):
    with pytest.raises(UserError, match=sentence):
        select_map(make_attribution(), *arguments, **options)
