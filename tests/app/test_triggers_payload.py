"""The message to the triggers view: what is in it, what it says of controls, and never markup."""

import json
from dataclasses import replace

import numpy as np
import pytest
from trigger_samples import LABELS, TOKENS, make_result, make_set, make_study, make_trigger

from attattr_core.triggers.results import Insertion, Skipped
from attattr_core.ui.triggers_mined import Mined, find_results, gather
from attattr_core.ui.triggers_payload import MAX_FLIPS, Progress, Shown


def read(mined: Mined, **options):
    shown = Shown("r", options.pop("status", "done"), {"paper": mined}, **options)
    return json.loads(shown.build_message())


def test_rows_hold_tokens_in_order_of_place_results_and_places():
    message = read(gather(make_set(), make_study(flips=30)))
    rows = message["mined"]["paper"]["rows"]
    assert [row["tokens"][0]["token"] for row in rows] == list(TOKENS)
    assert [part["place"] for part in rows[0]["tokens"]] == [pytest.approx(2 / 3, abs=1e-6), 1]
    assert rows[0]["study"]["whole"] == pytest.approx(0.6)
    assert rows[3]["study"] is None
    assert len(rows[0]["study"]["flips"]) == MAX_FLIPS
    assert rows[0]["strength"] == pytest.approx(0.51)


def test_what_was_not_measured_has_the_places_that_it_would_have():
    mined = gather(make_set())
    assert mined.insertions[0] == (Insertion(TOKENS[0], 0, 2 / 3), Insertion("film", 0, 1.0))
    assert read(mined)["mined"]["paper"]["study"] is None


def test_words_that_carry_a_label_are_marked():
    rows = read(gather(make_set()))["mined"]["paper"]["rows"]
    assert [[part["loaded"] for part in row["tokens"]] for row in rows][2] == [True, False]
    assert not any(part["loaded"] for row in rows[:2] for part in row["tokens"])


def test_pieces_become_words_for_the_visitors_own_text():
    assert read(gather(make_set()))["mined"]["paper"]["rows"][3]["tokens"][0]["word"] == "ing"


def test_a_trigger_is_judged_by_the_confirming_half_which_older_files_lack():
    study = make_study()
    rows = read(gather(make_set(), study))["mined"]["paper"]["rows"]
    more, no = "more than chance", "no more than chance"
    assert [row["study"] and row["study"]["verdicts"] for row in rows] == [[more] * 2, [no] * 2, [no] * 2, None]
    halves = ("choosing_accuracy", "confirmed_after", "confirmed_success")
    results = tuple(replace(result, **dict.fromkeys(halves)) for result in study.results)
    older = replace(study, results=results, n_confirming=None, confirmed_before=None)
    group = read(gather(make_set(), older))["mined"]["paper"]
    assert group["study"]["confirmed_before"] is None
    assert group["rows"][0]["study"]["confirmed_after"] is None
    assert group["rows"][0]["study"]["verdicts"] == [None, None]


def test_a_verdict_on_few_examples_says_so():
    study = read(gather(make_set(), make_study()))["mined"]["paper"]["study"]
    assert study["few"] == [True, False]  # 10 and 20 of the confirming half were right before
    older = replace(make_study(), n_confirming=None, confirmed_before=None)
    assert read(gather(make_set(), older))["mined"]["paper"]["study"]["few"] == [False, False]


def test_what_there_is_to_know_is_told_once():
    study = replace(make_study(), skipped=(Skipped(("x", "##y"), "It leaves no room for a text."),) * 5)
    mined = replace(
        gather(make_set(), study), notices={"mining": "Two were cut.", "study": "", "transfer": "Two were cut."}
    )
    cut, skipped = read(mined)["mined"]["paper"]["notices"]
    assert cut == "Two were cut."
    assert skipped.startswith("5 triggers were skipped on sst2: x + ##y: It leaves no room for a text.; x + ##y")
    assert skipped.endswith(" …")


def test_the_best_are_rows_of_the_table():
    triggers = make_set()
    turned = replace(triggers, triggers=triggers.triggers[::-1])
    message = read(gather(turned, make_study()))["mined"]["paper"]
    assert message["study"]["best"] == [[3, 1, 2], [3, 1, 2]]


def test_equal_triggers_have_a_result_each_and_other_class_numbers_are_the_same_trigger():
    trigger = make_trigger()
    triggers = replace(make_set(), triggers=(trigger, trigger, make_trigger(1)))
    results = (make_result(replace(trigger, target_label=0), 0.1, 0), make_result(trigger, 0.2, 0))
    found = find_results(triggers, replace(make_study(), results=results))
    assert [result and result.success.accuracy[0] for result in found] == [0.1, 0.2, None]


def test_tokens_labels_and_file_names_are_never_markup_on_the_way():
    mined = replace(gather(make_set(), make_study(flips=1)), transfer=make_study(model="<script>"))
    text = Shown("r", "idle", {"<b>": replace(mined, origin="opened", file="<img>.json")}).build_message()
    assert "<" not in text
    assert json.loads(text)["mined"]["<b>"]["labels"] == list(LABELS)


def test_a_class_without_examples_is_null_and_not_a_number():
    study = make_study()
    empty = replace(study.before, accuracy=np.array([np.nan, 0.8]))
    message = read(gather(make_set(), replace(study, before=empty, n_by_class=np.array([0, 50]))))
    assert message["mined"]["paper"]["study"]["before"]["accuracy"] == [None, 0.8]


def test_progress_and_a_stop():
    shown = Shown("r", "running", {"paper": gather(make_set())}, progress=Progress("mining", "examples", 3, 9, None))
    assert json.loads(shown.build_message())["progress"]["n_total"] == 9
    assert shown.stop().status == "stopped"
    assert replace(shown, status="done").stop().status == "done"
