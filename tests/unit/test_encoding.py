"""From text to tokens and words, for whatever somebody types."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from random_models import MAX_LENGTH, build_checkpoint

from attattr_core import Settings, UserError, attribute
from attattr_core.engine.encoding import collate, encode


@pytest.fixture(scope="module")
def checkpoint():
    return build_checkpoint("bert")


def test_words_are_numbered_across_pieces_punctuation_repeats_and_sentences(checkpoint):
    encoded = encode(checkpoint, "Playing, playing!", "men play")
    assert encoded.tokens == ("[CLS]", "play", "##ing", ",", "play", "##ing", "!", "[SEP]", "men", "play", "[SEP]")
    assert encoded.sentences == (-1, 0, 0, 0, 0, 0, 0, -1, 1, 1, -1)
    assert encoded.words == (-1, 0, 0, 1, 2, 2, 3, -1, 4, 5, -1)
    assert encoded.word_labels == ("Playing", ",", "playing", "!", "men", "play")
    assert encoded.n_cut == 0
    assert encoded.inputs["token_type_ids"] == [0] * 8 + [1] * 3
    assert {len(values) for values in encoded.inputs.values()} == {11}


def test_a_single_sentence_has_no_second_one(checkpoint):
    for pair in (None, "", "  \n"):
        encoded = encode(checkpoint, "men play", pair)
        assert encoded.tokens == ("[CLS]", "men", "play", "[SEP]")
        assert encoded.sentences == (-1, 0, 0, -1)


@pytest.mark.parametrize("text", ["", " ", "\n\t "])
def test_an_empty_text_is_a_users_mistake(checkpoint, text):
    with pytest.raises(UserError, match="Sentence A is empty"):
        encode(checkpoint, text)
    with pytest.raises(UserError, match="Sentence A is empty"):
        encode(checkpoint, text, "men play")


AWKWARD = [
    "good 🙂 film 👩‍👩‍👧‍👦!",
    "שלום film ‏مرحبا‎ good",
    "<script>alert('a')</script> & <b>good</b>",
    "${good} {{film}} {% good %} %s {0}",
    "good\x00film \x00\x01\x7f bad",
    "\ufeffgood\u200bfilm \u202egood\u202c e\u0301\u0301",
    "中文 电影 good",
    "[CLS] good [SEP] film [MASK] [PAD] [UNK]",
    "x" * 200,
    "\ud83d good",
    "''''....!!!!",
]


@pytest.mark.parametrize("text", AWKWARD)
def test_awkward_text_keeps_its_words_and_can_be_attributed(checkpoint, text):
    encoded = encode(checkpoint, text, text)
    n_tokens = len(encoded.tokens)
    assert len(encoded.sentences) == len(encoded.words) == n_tokens
    assert [word == -1 for word in encoded.words] == [sentence == -1 for sentence in encoded.sentences]
    numbers = [word for word in encoded.words if word >= 0]
    assert sorted(set(numbers)) == list(range(len(encoded.word_labels)))
    assert numbers == sorted(numbers)
    shown = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert all(label in shown for label in encoded.word_labels)
    result = attribute(checkpoint, text, text, settings=Settings(n_steps=1))
    assert result.tokens == encoded.tokens
    assert result.finished.all()


def test_text_that_the_tokenizer_drops_whole_leaves_the_special_tokens(checkpoint):
    assert attribute(checkpoint, "\x00", settings=Settings(n_steps=1)).tokens == ("[CLS]", "[SEP]")


def test_a_long_text_is_cut_and_the_reader_told(checkpoint):
    text = "good film " * 2000  # 20,000 characters, 4,000 tokens
    encoded = encode(checkpoint, text)
    assert len(encoded.tokens) == MAX_LENGTH
    assert encoded.tokens[-1] == "[SEP]"
    assert encoded.n_cut == 4002 - MAX_LENGTH
    result = attribute(checkpoint, text, settings=Settings(n_steps=1))
    assert result.notice.startswith("The text was cut")
    assert "64 tokens" in result.notice
    assert str(4002 - MAX_LENGTH) in result.notice


def test_the_longer_text_of_a_pair_is_cut_first(checkpoint):
    encoded = encode(checkpoint, "men play", "good " * 100)
    assert encoded.tokens[:4] == ("[CLS]", "men", "play", "[SEP]")
    assert encoded.sentences.count(0) == 2
    assert encoded.sentences.count(1) == MAX_LENGTH - 5
    assert encoded.n_cut == 105 - MAX_LENGTH


def test_a_text_that_just_fits_is_not_cut(checkpoint):
    assert encode(checkpoint, "good " * (MAX_LENGTH - 2)).n_cut == 0
    assert encode(checkpoint, "good " * (MAX_LENGTH - 1)).n_cut == 1
    assert attribute(checkpoint, "good film", settings=Settings(n_steps=1)).notice == ""


def test_examples_are_padded_to_the_longest_and_no_further(checkpoint):
    examples = [encode(checkpoint, text) for text in ("men play", "two men play music")]
    inputs = collate(checkpoint, examples)
    assert {tensor.shape for tensor in inputs.values()} == {(2, 6)}
    assert inputs["attention_mask"].tolist() == [[1, 1, 1, 1, 0, 0], [1] * 6]
    assert inputs["input_ids"][0, 4:].tolist() == [0, 0]


def test_threads_that_cut_do_not_disturb_threads_that_do_not(checkpoint, monkeypatch):
    set_truncation = checkpoint.tokenizer.set_truncation_and_padding

    def set_slowly(**options):
        set_truncation(**options)
        time.sleep(0.02)  # where another thread would come in

    monkeypatch.setattr(checkpoint.tokenizer, "set_truncation_and_padding", set_slowly)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda text: encode(checkpoint, text), ["good " * 90, "good"] * 6))
    lengths = [len(encoded.tokens) for encoded in together]
    assert lengths == [MAX_LENGTH, 3] * 6
