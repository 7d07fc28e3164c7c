"""Any text: a sentence that refuses it, or a result that is whole."""

import json

import numpy as np
import pytest
from hostile.strategies import check_sentence, names, refuse_or, texts, values
from hypothesis import example, given
from hypothesis import strategies as st

from attattr_core import Attribution, Settings, UserError, attribute, build_tree, load_attribution, save_attribution
from attattr_core.engine.encoding import encode, find_max_length
from attattr_core.triggers.difference import WordInsertion, insert_words
from attattr_core.ui.labels_panel import use_names
from attattr_core.ui.models import Models
from attattr_core.ui.payload import build_payload
from attattr_core.ui.tree_payload import build_tree_payload
from attattr_core.ui.trial import read_insertions

ONE_NODE = Settings(rule="left", n_steps=1)
parts = st.lists(texts, min_size=1, max_size=4).map(" ".join)


def check_result(result: Attribution) -> None:
    """Checks what every result keeps, whatever was explained."""
    assert len(result.tokens) == len(result.sentences) == len(result.words) == result.attention.shape[-1]
    assert all(sentence >= 0 for sentence, word in zip(result.sentences, result.words, strict=True) if word >= 0)
    np.testing.assert_allclose(result.attention.sum(-1), 1, atol=1e-5)
    sums = result.attribution.sum((1, 2, 3), dtype=np.float64)
    np.testing.assert_allclose(sums - (result.output - result.baseline_output), result.convergence_delta, atol=1e-5)
    assert result.probabilities.sum() == pytest.approx(1, abs=1e-5)
    for text in (*result.tokens, *result.word_labels, *result.texts, *result.labels):
        text.encode()


@given(text=parts, pair=st.none() | parts)
def test_a_text_has_as_many_tokens_as_the_model_takes_at_most(checkpoint, text, pair):
    encoded = refuse_or(encode, checkpoint, text, pair)
    if encoded is None:
        return
    n_tokens = len(encoded.tokens)
    assert 0 < n_tokens <= find_max_length(checkpoint)
    assert {len(ids) for ids in encoded.inputs.values()} == {n_tokens}
    assert len(encoded.sentences) == len(encoded.words) == len(encoded.spans) == n_tokens
    assert max(encoded.words) < len(encoded.word_labels)
    assert set(encoded.sentences) <= ({-1, 0, 1} if (pair or "").strip() else {-1, 0})
    assert encoded.n_cut >= 0


@given(text=values, pair=values)
def test_what_is_no_text_is_refused(checkpoint, text, pair):
    result = refuse_or(encode, checkpoint, text, pair)
    assert result is None or isinstance(text, str)
    if not isinstance(text, str):
        with pytest.raises(UserError):
            attribute(checkpoint, text, pair, settings=ONE_NODE)


@given(text=parts.map(lambda text: text[:400]), pair=st.none() | texts.map(lambda text: text[:400]), target=texts)
@example(text="a \ud800 b", pair="\udfff c", target="\ud800")
def test_a_result_is_whole_can_be_saved_and_is_shown(checkpoint, work, text, pair, target):
    result = refuse_or(attribute, checkpoint, text, pair, settings=ONE_NODE)
    if result is None:
        return
    check_result(result)
    for name in ("a.json", "a.npz"):
        save_attribution(result, work / name)
        found = load_attribution(work / name)
        (work / name).unlink()
        assert (found.texts, found.tokens, found.word_labels) == (result.texts, result.tokens, result.word_labels)
        np.testing.assert_allclose(found.attribution, result.attribution)
    for message in (
        build_payload(result, run="a", status="done", seconds=1),
        build_tree_payload(result, run="a", status="done"),
    ):
        assert "<" not in message
        json.loads(message)
        message.encode()
    refuse_or(checkpoint.find_target, target, 0)
    build_tree(result, words=True)


@given(text=texts, word=texts, sentence=st.integers(-2, 3), gap=st.integers(-(10**6), 10**6), asked=values)
def test_words_put_into_a_text_are_there_or_refused(text, word, sentence, gap, asked):
    refuse_or(read_insertions, asked)
    refuse_or(read_insertions, {"insertions": asked})
    read = refuse_or(read_insertions, {"insertions": [{"word": word, "sentence": sentence, "gap": gap}]})
    if read is not None:
        changed = refuse_or(insert_words, (text,), [WordInsertion(read[0].word, sentence, gap)])
        assert changed is None or read[0].word in changed[0][0]


@given(given_names=st.lists(names, max_size=3) | st.lists(texts, min_size=2, max_size=2))
def test_label_names_of_a_visitor_can_be_shown(given_names):
    models = Models()
    choice = models.find("sst2")
    status, kept, *_ = use_names(models, choice, {}, "\n".join(given_names), None, "predicted")
    check_sentence(json.loads(status)["text"])
    if isinstance(kept, dict) and choice.key in kept:
        json.dumps(kept[choice.key], ensure_ascii=False).encode()
        assert len(set(kept[choice.key])) == 2
