"""Lists of triggers and studies as files: ours read by the authors' rules, theirs by ours, damaged ones refused."""

import copy
import csv
import io
import json
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from trigger_cases import PAIRS, SENTENCES, at, build_checkpoint, build_set, build_trigger

from attattr_core import Settings
from attattr_core.errors import UserError
from attattr_core.triggers.entries import AUTHORS_KEYS, hide_text
from attattr_core.triggers.evaluation import evaluate_insertions, evaluate_triggers
from attattr_core.triggers.files import dump_triggers, load_triggers, save_triggers
from attattr_core.triggers.patterns import choose_insertions, choose_words
from attattr_core.triggers.pictures import describe_picture, draw_result, draw_study
from attattr_core.triggers.pieces import BLANK
from attattr_core.triggers.results import ClassAccuracy, Control, TriggerResult, TriggerSet, TriggerStudy
from attattr_core.triggers.study_files import dump_study, load_study, save_study
from attattr_core.triggers.tables import describe_best, dump_csv

TRIGGERS = TriggerSet(
    (
        build_trigger("[CLS] the film is bad [SEP]", (0, 4), (0, 2)),
        build_trigger("[CLS] nobody [SEP] two men [SEP]", (0, 4), (1, 4), (0.3, 0.01)),
    ),
    mode="paper",
    model="tiny",
    revision="abc",
    labels=("no", "yes", "maybe"),
    data="mined.tsv",
    data_sha256="0" * 64,
    example_digests=("00ff", "11ee"),
    n_examples=2,
    seed=3,
    settings=Settings(rule="left", n_steps=64),
    versions={"torch": "2"},
)


@pytest.fixture(scope="module")
def study():
    checkpoint = replace(build_checkpoint("bert"), labels=TRIGGERS.labels, name="tiny")
    *_, last = evaluate_triggers(checkpoint, build_set([*SENTENCES, *PAIRS]), TRIGGERS, n_seeds=2)
    return last.study


def test_triggers_come_back_as_they_were(tmp_path):
    save_triggers(TRIGGERS, tmp_path / "list.json")
    assert load_triggers(tmp_path / "list.json").triggers == TRIGGERS.triggers
    found = load_triggers(tmp_path / "list.json")
    for name in ("mode", "model", "revision", "labels", "data", "example_digests", "n_examples", "seed", "settings"):
        assert getattr(found, name) == getattr(TRIGGERS, name)
    save_triggers(replace(TRIGGERS, triggers=()), tmp_path / "empty.json")
    assert load_triggers(tmp_path / "empty.json").triggers == ()


def test_the_list_is_one_that_the_authors_script_reads():
    entries = json.loads(dump_triggers(TRIGGERS))
    for entry in entries:
        assert set(AUTHORS_KEYS) <= set(entry)
        # what their script computes of an entry
        first, second = entry["max_combined_attr"]
        positions = entry["top1position"] + (entry["top2position"] if second / first >= 0.2 else [])
        tokens = [entry["tokens"][position] for position in sorted(set(positions))]
        assert all(isinstance(token, str) for token in tokens)
        assert entry["tokens"][entry["seg_pos"]] == "[SEP]"
    strengths = [sum(entry["max_combined_attr"]) for entry in entries]
    assert strengths == sorted(strengths, reverse=True)


def test_a_list_of_the_authors_is_read(tmp_path):
    entries = [{name: entry[name] for name in AUTHORS_KEYS} for entry in json.loads(dump_triggers(TRIGGERS))]
    entries[0] |= {"no": 0.5, "yes": 1.0}  # as their evaluation adds
    (tmp_path / "theirs.json").write_text(json.dumps(entries, indent=2))
    found = load_triggers(tmp_path / "theirs.json")
    assert found.triggers == tuple(replace(one, layer=None, head=None) for one in TRIGGERS.triggers)
    assert (found.mode, found.example_digests, found.settings) == ("", (), None)


def test_without_texts_only_the_patterns_tokens_stay():
    hidden = hide_text(TRIGGERS.triggers[0])
    assert hidden.tokens == ("[CLS]", BLANK, "film", BLANK, "bad", "[SEP]")
    assert choose_insertions(hidden) == choose_insertions(TRIGGERS.triggers[0])
    assert "the" not in dump_triggers(TRIGGERS, with_texts=False).replace('"the"', " the ").split()


def test_without_texts_words_of_the_pattern_stay_whole():
    tokens = ("[CLS]", "un", "##watch", "##able", "film", "##s", "and", "point", "##less", "[SEP]")
    trigger = replace(
        TRIGGERS.triggers[0],
        tokens=tokens,
        top1_position=(0, 2),
        top2_position=(0, 8),
        top1_pattern=("[CLS]", "##watch"),
        top2_pattern=("[CLS]", "##less"),
        seg_pos=9,
    )
    hidden = hide_text(trigger)
    assert hidden.tokens == (*tokens[:4], BLANK, BLANK, BLANK, *tokens[7:])
    assert [one.token for one in choose_words(hidden, use_all=True)] == ["unwatchable", "pointless"]
    assert choose_words(hidden, use_all=True) == choose_words(trigger, use_all=True)
    older = replace(hidden, tokens=tuple(BLANK if token == "point" else token for token in hidden.tokens))
    assert choose_words(older, use_all=True)[1].token == "less"  # files of before hid the rest of a word


def test_a_study_comes_back_as_it_was(study, tmp_path):
    save_study(study, tmp_path / "study.json", triggers=TRIGGERS)
    found = load_study(tmp_path / "study.json")
    assert load_triggers(tmp_path / "study.json").triggers == TRIGGERS.triggers
    assert load_triggers(tmp_path / "study.json").example_digests == TRIGGERS.example_digests
    for name in ("best", "labels", "model", "revision", "source_model", "data", "n_examples", "versions"):
        assert getattr(found, name) == getattr(study, name)
    for one, other in zip(found.results, study.results, strict=True):
        assert one.trigger == other.trigger
        assert [vars(flip) for flip in one.flips] == [vars(flip) for flip in other.flips]
        np.testing.assert_array_equal(one.n_flips, other.n_flips)
        for name in ("accuracy", "low", "high"):
            for part in ("after", "success", "confirmed_after", "confirmed_success"):
                values = [getattr(getattr(result, part), name) for result in (one, other)]
                np.testing.assert_allclose(*values, atol=1e-6)
        for control, twin in zip(one.controls, other.controls, strict=True):
            assert control.kind == twin.kind
            np.testing.assert_allclose(control.accuracy, twin.accuracy, atol=1e-6)
            np.testing.assert_allclose(control.success, twin.success, atol=1e-6)
            np.testing.assert_allclose(control.confirmed_accuracy, twin.confirmed_accuracy, atol=1e-6)
            np.testing.assert_allclose(control.confirmed_success, twin.confirmed_success, atol=1e-6)
        np.testing.assert_allclose(one.choosing_accuracy, other.choosing_accuracy, atol=1e-6)
    np.testing.assert_array_equal(found.n_confirming, study.n_confirming)
    np.testing.assert_allclose(found.confirmed_before.low, study.confirmed_before.low, atol=1e-6)


def test_a_study_from_before_the_halves_is_read(study, tmp_path):
    entries = json.loads(dump_study(study))
    del entries[0]["study"]["confirming"]
    for entry in entries:
        del entry["choosing"], entry["confirmed"]
        for control in entry["controls"]:
            del control["confirmed_accuracy"], control["confirmed_success"]
    (tmp_path / "study.json").write_text(json.dumps(entries))
    found = load_study(tmp_path / "study.json")
    assert found.n_confirming is found.confirmed_before is found.results[0].confirmed_after is None
    assert found.results[0].controls[0].confirmed_success is None
    save_study(found, tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text()) == entries
    rows = list(csv.DictReader(io.StringIO(dump_csv(found))))
    assert {row["n_confirming"] + row["confirmed_success"] + row["verdict"] for row in rows} == {""}
    assert "confirming" not in " ".join(describe_best(found))


def test_every_entry_has_one_accuracy_per_label_name_and_controls(study):
    for entry, result in zip(json.loads(dump_study(study)), study.results, strict=True):
        assert [entry[label] for label in study.labels] == result.after.accuracy.tolist()
        assert [control["kind"] for control in entry["controls"]] == ["random", "shuffled"]


def test_a_label_named_like_a_key_breaks_nothing(study, tmp_path):
    save_study(replace(study, labels=("tokens", "study", "accuracy")), tmp_path / "study.json")
    assert load_study(tmp_path / "study.json").results[0].trigger == study.results[0].trigger


def test_without_texts_a_study_holds_no_example(study):
    text = dump_study(study, triggers=TRIGGERS, with_texts=False)
    assert "flips" not in json.loads(text)[0]
    assert all(entry["tokens"].count(BLANK) or len(entry["tokens"]) < 7 for entry in json.loads(text))


def test_words_of_ones_own_are_a_study_too(tmp_path):
    steps = evaluate_insertions(build_checkpoint("bert"), build_set(SENTENCES), [(None, (at("film", 0.5),))], n_seeds=1)
    *_, last = steps
    save_study(last.study, tmp_path / "own.json")
    found = load_study(tmp_path / "own.json")
    assert found.results[0].trigger is None
    assert found.results[0].insertions == (at("film", 0.5),)


def damage(entries):
    """Every value of an entry replaced by something wrong, one at a time."""
    for name in AUTHORS_KEYS:
        for value in (None, "x", -1, [1e999, 0], [9, 9], {}, [[0]], [], [-1, 0], True):
            changed = copy.deepcopy(entries)
            changed[0][name] = value
            yield name, value, changed


def test_damaged_lists_are_refused_in_one_sentence(tmp_path):
    path = tmp_path / "list.json"
    entries = json.loads(dump_triggers(TRIGGERS))
    n_refused = 0
    for name, value, changed in damage(entries):
        path.write_text(json.dumps(changed).replace("Infinity", "1e999"))
        is_fine = name in ("top1pattern", "top2pattern") or (name == "max_combined_attr" and value in ([9, 9], [-1, 0]))
        with nullcontext() if is_fine else pytest.raises(UserError, match=r"^'list\.json' is not a list of triggers"):
            load_triggers(path)
        n_refused += not is_fine
    assert n_refused > 50
    for content in (b"", b"{}", b"[1]", b"\xff", b"[{}]", b"[" * 100_000, json.dumps(entries).encode()[:-20]):
        path.write_bytes(content)
        with pytest.raises(UserError, match="is not a list of triggers"):
            load_triggers(path)
    with pytest.raises(UserError, match="There is no file"):
        load_triggers(tmp_path / "none.json")
    with pytest.raises(UserError, match="is not a list of triggers"):
        load_triggers(tmp_path)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("study", "labels"), []),
        (("study", "best"), [[9], [], []]),
        (("study", "n_by_class"), [1, 2]),
        (("study", "before", "value"), [2, 0, 0]),
        (("study", "versions"), 3),
        (("accuracy", "low"), [0.5]),
        (("change",), [-7, 0, 0]),
        (("study", "confirming"), {}),
        (("study", "skipped"), [{"tokens": 3}]),
        (("choosing",), [2, 0, 0]),
        (("confirmed", "success"), {}),
        (("n_flips",), [-1, 0, 0]),
        (("controls",), [{}]),
        (("insertions",), [["film", 3, 0.5]]),
        (("flips",), [{"index": 0}]),
    ],
)
def test_damaged_studies_are_refused_in_one_sentence(study, tmp_path, where, value):
    entries = json.loads(dump_study(study))
    part = entries[0]
    for name in where[:-1]:
        part = part[name]
    part[where[-1]] = value
    (tmp_path / "study.json").write_text(json.dumps(entries))
    with pytest.raises(UserError, match=r"^'study.json' is not a list of triggers, or it is damaged"):
        load_study(tmp_path / "study.json")


def test_a_list_that_was_not_evaluated_is_no_study(tmp_path):
    save_triggers(TRIGGERS, tmp_path / "list.json")
    with pytest.raises(UserError, match="holds triggers that were not evaluated here"):
        load_study(tmp_path / "list.json")


def test_tables_sentences_and_pictures(study):
    rows = list(csv.DictReader(io.StringIO(dump_csv(study))))
    assert len(rows) == len(study.results) * 3
    assert float(rows[0]["accuracy"]) == pytest.approx(study.results[0].after.accuracy[0], abs=1e-6)
    assert rows[0]["tokens"] == "film + bad"
    assert rows[0]["n_confirming"] == "2"
    assert float(rows[0]["confirmed_accuracy"]) == pytest.approx(study.results[0].confirmed_after.accuracy[0], abs=1e-6)
    assert len(describe_best(study)) == 3 + sum(map(len, study.best))
    assert describe_picture(study)
    panels = draw_study(study, numbers=[[0, 1], [1], []]).axes
    assert [len(axes.patches) for axes in panels] == [7, 4, 1]  # three bars a trigger, and the interval
    assert panels[0].patches[1].get_height() == study.results[0].confirmed_after.accuracy[0]
    assert panels[0].get_title() == "“no”, n = 2, the half that confirms"
    whole = draw_study(replace(study, confirmed_before=None), numbers=[[0], [], []]).axes[0]
    assert whole.patches[1].get_height() == study.results[0].after.accuracy[0]
    for measure in ("accuracy", "success"):
        assert len(draw_result([(study, study.results[0])] * 2, measure=measure).axes) == 2


def test_the_table_says_rank_draws_and_verdict_and_holds_no_formula():
    random = Control("random", ((), ()), *[np.array([[0.1, 0.2], [0.3, 0.4]])] * 4)
    share = ClassAccuracy(np.array([0.5, 0.6]), np.array([0.35, 0.3]), np.array([0.7, 0.8]))
    result = TriggerResult(
        *(None, (at("=cmd", 0.5),), share, share, np.array([-0.1, 0]), (random,), (), np.array([3, 2])),
        *(share.accuracy, share, share),
    )
    study = TriggerStudy(
        *((result,), share, np.array([8, 9]), ((0,), ()), ("-no", "yes"), "@model", "", "", "+data", "", 17, {}),
        *(np.array([4, 4]), share),
    )
    first, second = csv.DictReader(io.StringIO(dump_csv(study)))
    assert [first[name] for name in ("model", "data", "tokens", "gold_class")] == ["'@model", "'+data", "'=cmd", "'-no"]
    assert [row["rank"] for row in (first, second)] == ["1", ""]
    assert [row["verdict"] for row in (first, second)] == ["more than chance", "no more than chance"]
    assert [float(first[f"confirmed_random_success_{name}"]) for name in ("mean", "min", "max")] == [0.2, 0.1, 0.3]
    assert float(first["mean_change"]) == -0.1
    assert describe_best(study)[1].endswith(
        "success on the 4 confirming examples 50.0% (35.0% to 70.0%), random tokens 20.0% (10.0% to 30.0%): more than "
        "chance"
    )
