"""What triggers do to a data set: against predictions made one text at a time, with controls, in any family."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from engine_cases import take_snapshot
from trigger_cases import PAIRS, SENTENCES, at, build_byte_level, build_checkpoint, build_set, build_trigger

from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.datasets import digest_example
from attattr_core.engine.encoding import collate
from attattr_core.errors import UserError
from attattr_core.intervals import compute_wilson
from attattr_core.labels.order import map_labels, rename_classes
from attattr_core.triggers.controls import draw_random, draw_shuffled, list_random_pieces
from attattr_core.triggers.evaluation import evaluate_insertions, evaluate_triggers
from attattr_core.triggers.halves import find_confirming
from attattr_core.triggers.insertion import insert_into_example, resolve_insertions
from attattr_core.triggers.results import ClassAccuracy, Control, Insertion, TriggerResult, TriggerSet
from attattr_core.triggers.tables import describe_skipped, find_verdict
from attattr_core.triggers.tallies import pick_best
from attattr_core.triggers.transfer import transfer_triggers
from attattr_core.triggers.words import carries_label, filter_triggers, mark_loaded

INSERTIONS = (at("nobody", 0.2), at("bad", 0.9))


def predict_plainly(checkpoint, examples, insertions):
    """Probabilities of each example alone."""
    pieces = resolve_insertions(checkpoint, insertions)
    rows = []
    for example in examples.examples:
        triggered = insert_into_example(checkpoint, example.text, example.text_pair, pieces)
        with torch.no_grad():
            logits = checkpoint.model(**collate(checkpoint, [triggered.encoded])).logits
        rows.append(logits.softmax(-1)[0].numpy())
    return np.array(rows)


def run(checkpoint, examples, *items, **options):
    *_, last = evaluate_insertions(checkpoint, examples, [(None, item) for item in items], **options)
    assert last.n_done == last.n_total
    return last.study


@pytest.mark.parametrize("family", ["bert", "albert", "xlnet", "gpt2", "llama", "t5"])
def test_figures_are_those_of_each_example_alone(family):
    checkpoint = build_checkpoint(family)
    examples = build_set([*SENTENCES, *PAIRS])
    gold = np.array([example.label for example in examples.examples])
    study = run(checkpoint, examples, INSERTIONS, n_seeds=0)
    before, after = (predict_plainly(checkpoint, examples, part) for part in ((), INSERTIONS))
    (result,) = study.results
    right = [probabilities.argmax(1) == gold for probabilities in (before, after)]
    for label in range(3):
        own = gold == label
        assert study.n_by_class[label] == own.sum()
        assert study.before.accuracy[label] == pytest.approx(right[0][own].mean())
        assert result.after.accuracy[label] == pytest.approx(right[1][own].mean())
        interval = compute_wilson(right[1][own].mean(), int(own.sum()))
        assert (result.after.low[label], result.after.high[label]) == pytest.approx(interval)
        lost = right[0] & ~right[1] & own
        assert result.n_flips[label] == lost.sum()
        rate = lost.sum() / (right[0] & own).sum() if (right[0] & own).any() else math.nan
        assert result.success.accuracy[label] == pytest.approx(rate, nan_ok=True)
        change = (after - before)[own, label].mean()
        assert result.change[label] == pytest.approx(change, abs=1e-6)
    assert {flip.index for flip in result.flips} == set(np.flatnonzero(right[0] & ~right[1]))
    for flip in result.flips:
        assert [flip.tokens[position] for position in flip.inserted] == ["nobody", "bad"]
        assert flip.before == gold[flip.index] != flip.after
        assert flip.probability_after == pytest.approx(after[flip.index, gold[flip.index]], abs=1e-6)


def test_controls_are_drawn_anew_for_each_seed_and_the_same_again():
    checkpoint, examples = build_checkpoint("bert"), build_set([*SENTENCES, *PAIRS])
    study, again = (run(checkpoint, examples, INSERTIONS, (at("film", 0.5, 1),), n_seeds=5) for _ in range(2))
    words = {name for name, _ in list_random_pieces(checkpoint)}
    for result, same in zip(study.results, again.results, strict=True):
        assert [control.kind for control in result.controls] == ["random", "shuffled"]
        for control, twin in zip(result.controls, same.controls, strict=True):
            assert control.insertions == twin.insertions
            np.testing.assert_array_equal(control.accuracy, twin.accuracy)
            assert control.accuracy.shape == control.success.shape == (5, 3)
            assert len(set(control.insertions)) > 1
            assert all(len(part) == len(result.insertions) for part in control.insertions)
        random, shuffled = result.controls
        for drawn in random.insertions:
            assert [(one.sentence, one.place) for one in drawn] == [
                (one.sentence, one.place) for one in result.insertions
            ]
            assert {one.token for one in drawn} <= words
        for drawn in shuffled.insertions:
            assert sorted(one.token for one in drawn) == sorted(one.token for one in result.insertions)
            assert sorted(one.sentence for one in drawn) == sorted(one.sentence for one in result.insertions)
            assert all(0 <= one.place < 1 for one in drawn)


def test_a_control_is_what_its_insertions_give():
    checkpoint, examples = build_checkpoint("bert"), build_set(SENTENCES)
    (result,) = run(checkpoint, examples, INSERTIONS, n_seeds=2).results
    gold = np.array([example.label for example in examples.examples])
    for control in result.controls:
        for insertions, accuracy in zip(control.insertions, control.accuracy, strict=True):
            right = predict_plainly(checkpoint, examples, insertions).argmax(1) == gold
            assert accuracy == pytest.approx([right[gold == label].mean() for label in range(3)])


def test_random_tokens_are_whole_words_of_any_vocabulary():
    bert = {name for name, _ in list_random_pieces(build_checkpoint("bert"))}
    assert {"film", "nobody"} <= bert
    assert not bert & {"[CLS]", "[UNK]", "##ing", ".", "a", "1"}
    checkpoint = build_byte_level()
    assert {name for name, _ in list_random_pieces(checkpoint)} == {"Ġfi", "Ġfil", "Ġfilm", "Ġba"} | {"Ġbad"} & {
        name for name, _ in list_random_pieces(checkpoint)
    }
    pieces = resolve_insertions(checkpoint, [at("bads", 0.5)], as_words=True)
    (drawn,) = draw_random(pieces, list_random_pieces(checkpoint), np.random.default_rng(0))
    assert len(drawn.ids) == len(pieces[0].ids) == 2
    assert draw_shuffled(pieces, np.random.default_rng(0))[0].ids == pieces[0].ids


def test_every_second_example_of_a_class_confirms():
    gold = np.array([0, 1, 0, 0, 2, 1, 0, 2, 0, 2])
    assert np.flatnonzero(find_confirming(gold, 4)).tolist() == [2, 6]  # class 0; all others have fewer than four


def test_what_is_confirmed_is_measured_on_the_other_half_alone():
    checkpoint, examples = build_checkpoint("bert"), build_set([*SENTENCES, *PAIRS])
    study = run(checkpoint, examples, INSERTIONS, (at("film", 0.5),), n_seeds=2)
    gold = np.array([example.label for example in examples.examples])
    confirming = find_confirming(gold, 3)
    assert study.n_confirming.tolist() == [2, 2, 2]
    other = replace(examples, examples=tuple(np.array(examples.examples)[confirming]))
    alone = run(checkpoint, other, INSERTIONS, (at("film", 0.5),), n_seeds=2)
    chosen = replace(examples, examples=tuple(np.array(examples.examples)[~confirming]))
    choosing = run(checkpoint, chosen, INSERTIONS, (at("film", 0.5),), n_seeds=0)
    np.testing.assert_array_equal(study.confirmed_before.accuracy, alone.before.accuracy)
    assert study.best == tuple(
        pick_best([result.after.accuracy for result in choosing.results], below=choosing.before.accuracy)
    )
    for result, same, half in zip(study.results, alone.results, choosing.results, strict=True):
        np.testing.assert_array_equal(result.choosing_accuracy, half.after.accuracy)
        for name in ("accuracy", "low", "high"):
            np.testing.assert_array_equal(getattr(result.confirmed_after, name), getattr(same.after, name))
            np.testing.assert_array_equal(getattr(result.confirmed_success, name), getattr(same.success, name))
        for control, twin in zip(result.controls, same.controls, strict=True):
            assert control.insertions == twin.insertions
            np.testing.assert_array_equal(control.confirmed_accuracy, twin.accuracy)
            np.testing.assert_array_equal(control.confirmed_success, twin.success)
        assert np.isnan(same.confirmed_success.accuracy).all()  # two of a class are not split again
        assert [find_verdict(same, label) for label in range(3)] == [None] * 3


@pytest.mark.parametrize(
    ("low", "highest", "expected"),
    [
        (0.31, 0.3, "more than chance"),
        (0.3, 0.3, "no more than chance"),
        (0.1, 0.3, "no more than chance"),
        (math.nan, 0.3, None),
        (0.3, math.nan, None),
    ],
)
def test_a_verdict_asks_for_more_than_the_highest_random_draw(low, highest, expected):
    draws = np.array([[0.0], [highest], [0.2]])
    random = Control("random", ((),) * 3, draws * 0, draws * 0 + 1, draws * 0, draws)
    shuffled = replace(random, kind="shuffled", confirmed_success=draws * 0 + 1)
    share = ClassAccuracy(np.array([0.9]), np.array([low]), np.array([1.0]))
    result = TriggerResult(
        *(None, (), share, share, np.zeros(1), (shuffled, random), (), np.zeros(1, int)), confirmed_success=share
    )
    assert find_verdict(result, 0) == expected
    assert find_verdict(replace(result, controls=(shuffled,)), 0) is None
    assert find_verdict(replace(result, confirmed_success=None), 0) is None
    assert find_verdict(replace(result, controls=(replace(random, confirmed_success=None),)), 0) is None


def test_the_best_of_each_class_come_first_and_are_those_of_lowest_accuracy():
    checkpoint, examples = build_checkpoint("bert"), build_set([*SENTENCES, *PAIRS])
    items = [(at(token, 0.5),) for token in ("film", "nobody", "bad", "music", "park", "good")]
    seen = []
    for step in evaluate_insertions(checkpoint, examples, [(None, item) for item in items], n_seeds=1, only_best=True):
        study = step.study
        seen.append((len(study.results), sum(bool(result.controls) for result in study.results)))
    assert seen == sorted(seen)
    for label, best in enumerate(study.best):
        values = [result.choosing_accuracy[label] for result in study.results]
        n, n_confirming = study.n_by_class[label], study.n_confirming[label]
        n_right = study.before.accuracy[label] * n - study.confirmed_before.accuracy[label] * n_confirming
        lowering = sorted(value for value in values if value < n_right / (n - n_confirming) - 1e-9)
        assert [values[number] for number in best] == lowering[:3]
        assert all(study.results[number].controls for number in best)


def test_all_examples_of_one_class():
    checkpoint = build_checkpoint("bert")
    examples = build_set(SENTENCES)
    examples = replace(examples, examples=tuple(replace(one, label=1) for one in examples.examples))
    study = run(checkpoint, examples, INSERTIONS, n_seeds=1)
    assert study.n_by_class.tolist() == [0, 8, 0]
    assert np.isnan(study.results[0].after.accuracy).tolist() == [True, False, True]
    assert np.isnan(study.results[0].change).tolist() == [True, False, True]
    assert study.best[0] == study.best[2] == ()
    assert study.n_confirming.tolist() == [0, 4, 0]
    assert np.isnan(study.results[0].confirmed_success.accuracy)[[0, 2]].all()
    assert find_verdict(study.results[0], 0) is None


def test_nothing_to_insert_changes_nothing():
    study = run(build_checkpoint("bert"), build_set(SENTENCES), (), (at("film", 0.5, 1),), n_seeds=1)
    for result in study.results:
        np.testing.assert_array_equal(result.after.accuracy, study.before.accuracy)
        assert not result.n_flips.any()


def test_mined_examples_are_refused_or_dropped_on_request():
    checkpoint, examples = build_checkpoint("bert"), build_set(SENTENCES)
    mined = tuple(map(digest_example, examples.examples[:2]))
    trigger = build_trigger("[CLS] the film [SEP]", (0, 2), (0, 1))
    triggers = TriggerSet((trigger,), "paper", example_digests=mined)
    with pytest.raises(UserError, match=r"2 of the 8 examples of 'tiny\.tsv' were used for mining"):
        evaluate_triggers(checkpoint, examples, triggers)
    *_, last = evaluate_triggers(checkpoint, examples, triggers, drop_overlap=True, n_seeds=0)
    assert last.study.n_examples == 6
    everything = replace(triggers, example_digests=tuple(map(digest_example, examples.examples)))
    with pytest.raises(UserError, match="8 of the 8 examples"):
        evaluate_triggers(checkpoint, examples, everything, drop_overlap=True)


def test_what_cannot_be_inserted_is_skipped_and_told():
    checkpoint, examples = build_checkpoint("bert"), build_set(SENTENCES)
    good, nowhere = (Insertion("film", 0, 0.5),), (Insertion("film", 0, 1.5),)
    long = (Insertion("film", 0, 0.5),) * 600
    items = [(None, nowhere), (None, good), (None, long)]
    *_, last = evaluate_insertions(checkpoint, examples, items, n_seeds=1)
    *_, alone = evaluate_insertions(checkpoint, examples, [(None, good)], n_seeds=1)
    (result,), (expected,) = last.study.results, alone.study.results
    assert result.insertions == good
    np.testing.assert_array_equal(result.after.accuracy, expected.after.accuracy)
    assert [len(one.tokens) for one in last.study.skipped] == [1, 600]
    assert "give a place from 0 to 1" in last.study.skipped[0].reason
    assert "leaves no room for a text" in last.study.skipped[1].reason
    assert describe_skipped(last.study).startswith("2 triggers were skipped on bert: film: The token 'film' is to go")
    with pytest.raises(UserError, match=r"None of the 2 triggers can be inserted\. The first: The token 'film'"):
        evaluate_insertions(checkpoint, examples, [items[0], items[2]])


def test_weak_patterns_are_left_out():
    checkpoint, examples = build_checkpoint("bert"), build_set(SENTENCES)
    values = [(0.5, 0.1), (0.3, 0.1), (0.011, 0.0085)]
    patterns = tuple(build_trigger("[CLS] the film [SEP]", (0, 2), (0, 1), value) for value in values)
    triggers = TriggerSet(patterns, "paper")
    *_, last = evaluate_triggers(checkpoint, examples, triggers, n_seeds=0)
    assert [result.trigger for result in last.study.results] == list(patterns[:2])
    *_, last = evaluate_triggers(checkpoint, examples, triggers, n_seeds=0, n_triggers=1)
    assert len(last.study.results) == 1
    with pytest.raises(UserError, match="None of the 3 triggers has a strength of 9 or more"):
        evaluate_triggers(checkpoint, examples, triggers, threshold=9)


def test_closing_stops_and_leaves_the_model_clean():
    checkpoint = build_checkpoint("bert")
    before = take_snapshot(checkpoint.model)
    steps = evaluate_insertions(checkpoint, build_set(SENTENCES), [(None, INSERTIONS)])
    next(steps), next(steps)
    steps.close()
    assert take_snapshot(checkpoint.model) == before


def rename(checkpoint: Checkpoint, *labels: str) -> Checkpoint:
    return replace(checkpoint, labels=labels)


def test_transfer_within_one_vocabulary_keeps_pieces_and_matches_classes_by_name():
    source = rename(build_checkpoint("bert"), "entailment", "neutral", "contradiction")
    target = rename(build_checkpoint("electra"), "CONTRADICTION", "ENTAILMENT", "NEUTRAL")
    examples = rename_classes(replace(build_set([*SENTENCES, *PAIRS]), label_names=source.labels), source.labels)
    trigger = build_trigger("[CLS] play ##ing film [SEP]", (0, 2), (0, 3))  # of class 0, gold 1
    *_, last = transfer_triggers(source, target, examples, TriggerSet((trigger,), "paper", model="a"), n_seeds=1)
    study = last.study
    (result,) = study.results
    assert [one.token for one in result.insertions] == ["##ing", "film"]
    assert (study.model, study.source_model, study.labels) == ("electra", "a", target.labels)
    assert (result.trigger.target_label, result.trigger.golden_label) == (1, 2)
    plain = predict_plainly(target, examples, result.insertions).argmax(1)
    gold = np.array([[1, 2, 0][example.label] for example in examples.examples])
    assert result.after.accuracy == pytest.approx([(plain == gold)[gold == label].mean() for label in range(3)])


def test_transfer_to_another_vocabulary_goes_through_words():
    source, target = build_checkpoint("bert"), build_byte_level()
    trigger = build_trigger("[CLS] play ##ing ba ##d [SEP]", (0, 2), (0, 3))
    *_, last = transfer_triggers(source, target, build_set(SENTENCES[:3]), TriggerSet((trigger,), "paper"), n_seeds=1)
    assert [one.token for one in last.study.results[0].insertions] == ["playing", "bad"]
    random = last.study.results[0].controls[0].insertions[0]
    assert len(random[0].token.split()) > 1  # as many pieces as "playing" has there


@pytest.mark.parametrize(
    ("names", "wanted", "expected"),
    [
        (("a", "b"), ("b", "a"), (1, 0)),
        (("LABEL_0", "LABEL_1"), ("LABEL_0", "LABEL_1"), (0, 1)),
        (("not_entailment", "entailment"), ("entailment", "not entailment"), (1, 0)),
        (("neg", "pos"), ("POSITIVE", "NEGATIVE"), (1, 0)),
    ],
)
def test_classes_are_matched_by_name(names, wanted, expected):
    assert map_labels(names, wanted) == expected


def test_classes_of_another_task_are_refused():
    for wanted in ("good", "bad"), ("LABEL_0", "LABEL_1"):
        with pytest.raises(UserError, match=f"The classes yes, no are not those of the model, {', '.join(wanted)}"):
            map_labels(("yes", "no"), wanted)
    assert map_labels(("yes", "no"), ("LABEL_0", "LABEL_1", "LABEL_2"), by_index=True) == (0, 1)
    with pytest.raises(UserError, match="are not those of the model"):
        map_labels(("yes", "no"), ("good", "bad"), by_index=True)


def test_words_that_carry_a_label_are_marked_and_filtered():
    assert carries_label("Awful")
    assert carries_label("Ġnobody")
    assert not carries_label("film")
    loaded = build_trigger("[CLS] the waste ##d film [SEP]", (3, 4), (0, 1))
    plain = build_trigger("[CLS] the play ##ing film [SEP]", (3, 4), (0, 1))
    assert mark_loaded(loaded) == (False, True, False)
    assert filter_triggers(TriggerSet((loaded, plain), "paper")).triggers == (plain,)
