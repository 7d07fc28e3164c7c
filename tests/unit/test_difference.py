"""Words in a text: where they go, and that both attributions are lined up by words, whatever repeats."""

from dataclasses import replace

import numpy as np
import pytest
from samples import make_attribution

from attattr_core import attribute, load_checkpoint
from attattr_core.errors import UserError
from attattr_core.pictures import render
from attattr_core.triggers.difference import WordInsertion, compare_attributions, insert_words, select_difference
from attattr_core.triggers.difference_pictures import draw_difference


@pytest.mark.parametrize(
    ("text", "gaps", "expected"),
    [
        ("a good film", {0: "never"}, "never a good film"),
        ("a good film", {1: "never", 3: "ever"}, "a never good film ever"),
        ("  a  good\tfilm ", {2: "never"}, "  a  good\tnever film "),
        ("film", {9: "never"}, "film never"),
    ],
)
def test_words_go_where_they_are_put(text, gaps, expected):
    (changed,), (spans,) = insert_words((text,), [WordInsertion(word, 0, gap) for gap, word in gaps.items()])
    assert changed == expected
    assert [changed[start:end] for start, end in spans] == list(gaps.values())


def test_words_of_one_gap_keep_their_order_and_the_text_stays():
    insertions = [WordInsertion("two", 1, 1), WordInsertion("three", 1, 1), WordInsertion("one", 0, 0)]
    texts, spans = insert_words(("x y", "u v"), insertions)
    assert texts == ("one x y", "u two three v")
    assert [len(part) for part in spans] == [1, 2]
    for text, part, before in zip(texts, spans, ("x y", "u v"), strict=True):
        kept = "".join(letter for k, letter in enumerate(text) if not any(low <= k < high for low, high in part))
        assert kept.split() == before.split()


@pytest.mark.parametrize("wrong", [WordInsertion("x", 1, 0), WordInsertion("  ", 0, 0), WordInsertion("x", 0, -1)])
def test_what_cannot_be_inserted_is_named(wrong):
    with pytest.raises(UserError):
        insert_words(("only A",), [wrong])


def test_both_are_lined_up_by_words_though_the_inserted_one_repeats():
    checkpoint = load_checkpoint("sst2")
    text = "The film is not unforgettable, the film is long."
    texts, spans = insert_words((text,), [WordInsertion("the", 0, 5), WordInsertion("unforgettable", 0, 0)])
    clean = attribute(checkpoint, text, target="positive")
    triggered = attribute(checkpoint, texts[0], target="positive")
    found = compare_attributions(clean, triggered, spans)
    names = [token for token, is_new in zip(found.tokens, found.inserted, strict=True) if is_new]
    assert names == ["unforgettable", "the"]
    where = [k for k, token in enumerate(found.tokens) if token == "the"]
    assert [found.inserted[k] for k in where] == [True, False]
    for layer in range(clean.n_layers):
        for name, result in (("clean", clean), ("triggered", triggered)):
            np.testing.assert_allclose(getattr(found, name)[layer].sum(), result.attribution[layer].sum(), atol=1e-4)
    new = np.array(found.inserted)
    assert not found.clean[:, :, new].any()
    assert not found.clean[..., new].any()
    for part in select_difference(found, 2, 3):
        assert part.shape == (len(found.tokens),) * 2
    assert render(draw_difference(found, 1), "svg").startswith(b"<?xml")


def test_equal_attributions_have_no_difference_but_inserted_words_do():
    clean = make_attribution()
    found = compare_attributions(clean, clean, ((), ()))
    assert not found.difference.any()
    marked = compare_attributions(clean, clean, (((0, 7),), ()))
    assert marked.inserted == (False, True, False, False, False, False, False)
    assert marked.difference[:, :, 1].any()


def test_layers_to_come_count_as_nothing():
    part = make_attribution(unfinished=0)
    found = compare_attributions(part, part, ((), ()))
    assert all(np.isfinite(values).all() for values in select_difference(found))


def test_another_label_or_checkpoint_is_refused():
    clean = make_attribution()
    for other in (replace(clean, target=0), replace(clean, model="other")):
        with pytest.raises(UserError, match="different labels or checkpoints"):
            compare_attributions(clean, other, ((), ()))
    with pytest.raises(UserError, match="no layer 9"):
        select_difference(compare_attributions(clean, clean, ((), ())), 8)
