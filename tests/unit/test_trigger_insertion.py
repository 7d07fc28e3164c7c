"""Which tokens a pattern inserts and where: the authors' rule by hand, and any tokenizer, text and length."""

import pytest
import torch
from trigger_cases import at, build_byte_level, build_checkpoint, build_trigger

from attattr_core.engine.encoding import collate, encode, find_max_length
from attattr_core.errors import UserError
from attattr_core.triggers.insertion import Pieces, insert_into_example, plan_indices, resolve_insertions
from attattr_core.triggers.patterns import choose_insertions, choose_words
from attattr_core.triggers.results import Insertion


@pytest.fixture(scope="module")
def checkpoint():
    return build_checkpoint("bert")


def insert(checkpoint, texts, *insertions: Insertion, as_words: bool = False):
    pieces = resolve_insertions(checkpoint, insertions, as_words=as_words)
    return insert_into_example(checkpoint, *texts, *[None] * (2 - len(texts)), pieces)


SINGLE = "[CLS] the film is good [SEP]"
PAIR = "[CLS] a film [SEP] the dull film plays [SEP]"


@pytest.mark.parametrize(
    ("tokens", "top1", "top2", "values", "use_all", "expected"),
    [
        (SINGLE, (0, 4), (2, 4), (0.5, 0.05), False, [at("good", 1.0)]),  # the second is a tenth of the first
        (SINGLE, (0, 4), (2, 4), (0.5, 0.05), True, [at("film", 0.5), at("good", 1.0)]),
        (SINGLE, (0, 4), (2, 4), (0.5, 0.1), False, [at("film", 0.5), at("good", 1.0)]),  # a fifth is enough
        (SINGLE, (4, 1), (0, 5), (0.5, 0.4), False, [at("the", 0.25), at("good", 1.0)]),
        (SINGLE, (0, 5), (0, 0), (0.5, 0.4), False, []),  # special tokens only
        (PAIR, (2, 7), (0, 4), (0.5, 0.4), False, [at("film", 1.0), at("the", 0.25, 1), at("plays", 1.0, 1)]),
        (PAIR, (6, 6), (0, 3), (0.5, 0.4), False, [at("film", 0.75, 1)]),
    ],
)
def test_the_authors_rule_by_hand(tokens, top1, top2, values, use_all, expected):
    assert choose_insertions(build_trigger(tokens, top1, top2, values), use_all=use_all) == tuple(expected)


def test_a_pattern_of_a_file_may_have_no_strength_at_all():
    trigger = build_trigger(SINGLE, (0, 4), (0, 1), (0.0, 0.0))
    assert [one.token for one in choose_insertions(trigger)] == ["the", "good"]


def place_plainly(length: int, places: list[float]) -> list[int | None]:
    """The authors' loop: what an index list looks like when one token after the other is inserted into a list."""
    sentence, before = [None] * length, -1
    for number, place in enumerate(places):
        index = round((length + len(places)) * place)
        index += index == before
        before = index
        sentence.insert(index, number)
    return sentence


@pytest.mark.parametrize("length", [0, 1, 2, 5, 9])
@pytest.mark.parametrize(
    "places", [[0.5], [1.0], [0.0], [0.5, 0.5], [0.4, 0.4, 0.4], [0.9, 1.0], [1.0, 1.0, 1.0], [0.05, 0.1, 0.95, 1.0]]
)
def test_single_tokens_go_where_the_authors_loop_puts_them(length, places):
    sentence = [None] * length
    pieces = [Pieces((7,), ("x",), 0, place) for place in places]
    for number, index in enumerate(plan_indices(length, pieces)):
        sentence.insert(index, number)
    assert sentence == place_plainly(length, places)


def test_words_of_several_pieces_stay_whole():
    pieces = [Pieces((1, 2, 3), ("x",) * 3, 0, 0.5), Pieces((4,), ("x",), 0, 0.55), Pieces((5, 6), ("x",) * 2, 0, 0.55)]
    sentence = [0] * 6
    for index, piece in zip(plan_indices(6, pieces), pieces, strict=True):
        sentence[index:index] = piece.ids
    text = " ".join(map(str, sentence))
    assert all(part in text for part in ("1 2 3", "4", "5 6"))
    assert len(sentence) == 12


def test_every_input_of_a_pair_gets_the_token(checkpoint):
    clean = encode(checkpoint, "the film", "a good film")
    found = insert(checkpoint, ("the film", "a good film"), at("bad", 1.0), at("not", 0.0, 1), at("##ing", 0.7, 1))
    assert found.encoded.tokens == (
        "[CLS]",
        "the",
        "film",
        "bad",
        "[SEP]",
        "not",
        "a",
        "good",
        "film",
        "##ing",
        "[SEP]",
    )
    assert found.inserted == (3, 5, 9)
    assert found.encoded.inputs["token_type_ids"] == [0] * 5 + [1] * 6
    assert set(map(len, found.encoded.inputs.values())) == {11}
    kept = [number for number in range(11) if number not in found.inserted]
    for name, values in clean.inputs.items():
        assert [found.encoded.inputs[name][number] for number in kept] == values
    assert [found.encoded.word_labels[found.encoded.words[number]] for number in found.inserted] == [
        "bad",
        "not",
        "##ing",
    ]
    assert found.encoded.sentences == (-1, 0, 0, 0, -1, 1, 1, 1, 1, 1, -1)
    logits = checkpoint.model(**collate(checkpoint, [found.encoded])).logits
    again = checkpoint.model(**collate(checkpoint, [encode(checkpoint, "the film bad", "not a good filming")])).logits
    torch.testing.assert_close(logits, again)


@pytest.mark.parametrize("second", [None, "", "  "])
def test_what_is_meant_for_an_empty_sentence_b_is_left_out(checkpoint, second):
    found = insert(checkpoint, ("the film", second), at("bad", 0.3), at("good", 0.5, 1))
    assert found.encoded.tokens == ("[CLS]", "the", "bad", "film", "[SEP]")


def test_a_trigger_longer_than_a_text_of_one_word(checkpoint):
    found = insert(checkpoint, ("film",), *[at(token, 0.5) for token in ("a", "very", "dull", "bad")])
    assert sorted(found.encoded.tokens[1:-1]) == ["a", "bad", "dull", "film", "very"]
    assert len(found.inserted) == 4


def test_a_text_at_the_limit_is_cut_so_that_the_whole_trigger_fits(checkpoint):
    limit = find_max_length(checkpoint)
    for texts in [("film " * 100,), ("film " * 100, "a dull film"), ("a dull film", "film " * 100)]:
        found = insert(checkpoint, texts, at("bad", 1.0), at("nobody", 1.0))
        assert len(found.encoded.tokens) == limit
        assert [found.encoded.tokens[number] for number in found.inserted] == ["bad", "nobody"]
        assert found.encoded.n_cut > 0
        assert found.encoded.tokens[-1] == "[SEP]"
        if len(texts) > 1:  # the shorter text of a pair stays whole
            assert {"a", "dull"} < set(found.encoded.tokens)
    exact = "film " * (limit - 2)
    assert encode(checkpoint, exact).n_cut == 0
    assert insert(checkpoint, (exact,), at("bad", 0.5)).encoded.n_cut == 1


def test_a_trigger_that_leaves_no_room_is_refused(checkpoint):
    with pytest.raises(UserError, match=r"has 100 tokens, which leaves no room .* in the 64"):
        insert(checkpoint, ("film",), *[at("bad", 0.5)] * 100)


def test_words_are_cut_into_pieces_and_unknown_ones_become_the_unknown_token(checkpoint):
    found = insert(checkpoint, ("the film",), at("playing", 0.3), as_words=True)
    assert found.encoded.tokens == ("[CLS]", "the", "play", "##ing", "film", "[SEP]")
    found = insert(checkpoint, ("the film",), at("лес", 0.3))  # not in the vocabulary: taken as a word
    assert found.encoded.tokens == ("[CLS]", "the", "[UNK]", "film", "[SEP]")
    with pytest.raises(UserError, match="makes no token of the word"):
        insert(checkpoint, ("the film",), at("\u200b", 0.5))


@pytest.mark.parametrize("bad", [at("film", 1.5), at("film", float("nan")), at("film", 0.5, 2)])
def test_a_place_that_is_none_is_refused(checkpoint, bad):
    with pytest.raises(UserError, match="give a place from 0 to 1 and sentence 0"):
        resolve_insertions(checkpoint, [bad])


@pytest.mark.parametrize("pairs_need_two", [True, False])
def test_separators_of_other_tokenizers(pairs_need_two):
    checkpoint = build_byte_level(pairs_need_two=pairs_need_two)
    found = insert(checkpoint, ("a film", "is"), at("Ġbad", 1.0), at("is", 0.0, 1))
    assert [found.encoded.tokens[number] for number in found.inserted] == ["Ġbad", "is"]
    ends = ["</s>"] * (1 + pairs_need_two)
    assert list(found.encoded.tokens) == ["<s>", "a", "film", "Ġbad", *ends, "is", "is", "</s>"]


def test_a_decoder_without_special_tokens():
    checkpoint = build_byte_level(family="gpt2", specials=False)
    found = insert(checkpoint, ("a film", "is"), at("Ġbad", 1.0), at("Ġfilm", 1.0, 1))
    assert list(found.encoded.tokens) == ["a", "film", "Ġbad", "is", "Ġfilm"]
    assert found.encoded.sentences == (0, 0, 0, 1, 1)


def test_a_word_gets_the_mark_that_words_inside_a_text_have():
    checkpoint = build_byte_level()
    (piece,) = resolve_insertions(checkpoint, [at("film", 0.5)], as_words=True)
    assert piece.tokens == ("Ġfilm",)
    (piece,) = resolve_insertions(checkpoint, [at("bads", 0.5)], as_words=True)
    assert piece.tokens == ("Ġbad", "s")


def test_whole_words_stand_for_their_pieces():
    trigger = build_trigger("[CLS] mu ##lan play ##ing on [SEP]", (2, 4), (4, 5))
    assert [(one.token, one.place) for one in choose_insertions(trigger)] == [
        ("##lan", 0.4),
        ("##ing", 0.8),
        ("on", 1.0),
    ]
    assert [(one.token, one.place) for one in choose_words(trigger)] == [("mulan", 0.4), ("playing", 0.8), ("on", 1.0)]
