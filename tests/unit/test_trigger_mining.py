"""Mining: what is found, against a plain reading of whole attributions; jobs that are stopped, killed and resumed."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from engine_cases import take_snapshot
from random_models import save_tiny_classifier
from trigger_cases import PAIRS, SENTENCES, build_byte_level, build_checkpoint, build_set

from attattr_core import Settings, attribute
from attattr_core.__main__ import main
from attattr_core.errors import UserError
from attattr_core.triggers.mining import PAPER_SETTINGS, mine_triggers
from attattr_core.triggers.patterns import choose_insertions
from attattr_core.triggers.pieces import BLANK
from attattr_core.triggers.pooled import StrongToken, StrongTokens, pool_candidates

FAST = Settings(rule="left", n_steps=4)


def run(checkpoint, examples, **options):
    *_, last = mine_triggers(checkpoint, examples, **{"settings": FAST, **options})
    return last.triggers


def find_plainly(checkpoint, example):
    """Layer, head, the two entries and their values, from the whole attribution."""
    maps = attribute(checkpoint, example.text, example.text_pair, settings=FAST).attribution
    layer, head, *_ = np.unravel_index(maps.argmax(), maps.shape)
    order = np.argsort(-maps[layer, head], axis=None, kind="stable")[:2]
    entries = [tuple(map(int, entry)) for entry in np.transpose(np.unravel_index(order, maps.shape[2:]))]
    return int(layer), int(head), entries, [float(maps[layer, head][entry]) for entry in entries]


@pytest.mark.parametrize("family", ["bert", "distilbert", "deberta-v2", "gpt2", "llama", "t5"])
def test_patterns_are_the_largest_entries_of_the_strongest_head(family):
    checkpoint = build_checkpoint(family)
    examples = build_set([*SENTENCES[:4], *([] if family == "t5" else PAIRS[:2])])
    found = run(checkpoint, examples).triggers
    expected = []
    for example in examples.examples:
        layer, head, entries, values = find_plainly(checkpoint, example)
        expected.append((sum(values), layer, head, entries, values))
    expected.sort(key=lambda row: -row[0])
    for trigger, (_, layer, head, entries, values) in zip(found, expected, strict=True):
        assert (trigger.layer, trigger.head) == (layer, head)
        assert [trigger.top1_position, trigger.top2_position] == entries
        np.testing.assert_allclose(trigger.max_combined_attr, values, atol=1e-9, rtol=0)
        assert trigger.top1_pattern == tuple(trigger.tokens[position] for position in trigger.top1_position)


def test_what_a_list_says_of_where_it_comes_from():
    checkpoint = build_checkpoint("bert")
    *_, last = mine_triggers(checkpoint, build_set(SENTENCES, name="mined.tsv"), n_examples=3, min_tokens=8)
    found = last.triggers
    assert (found.mode, found.model, found.data, found.settings) == ("paper", "bert", "mined.tsv", PAPER_SETTINGS)
    assert (found.n_examples, len(found.example_digests), found.seed) == (3, 3, None)
    assert found.versions["torch"]
    assert {trigger.golden_label for trigger in found.triggers} <= {0, 1, 2}
    assert [one.strength for one in found.triggers] == sorted((one.strength for one in found.triggers), reverse=True)
    assert all(trigger.tokens[trigger.seg_pos] == "[SEP]" for trigger in found.triggers)


def test_which_examples_are_taken():
    checkpoint = build_checkpoint("bert")
    examples = build_set(SENTENCES)
    assert run(checkpoint, examples, n_examples=4, min_tokens=9).n_examples == 1  # of the first four
    first, again, other = (run(checkpoint, examples, n_examples=4, seed=seed).example_digests for seed in (1, 1, 2))
    assert first == again != other
    assert len(run(checkpoint, examples, n_examples=100).triggers) == len(SENTENCES)
    with pytest.raises(UserError, match=r"None of the 8 examples of 'tiny\.tsv' has 50 tokens"):
        run(checkpoint, examples, min_tokens=50)


def test_a_single_word_without_special_tokens_has_one_entry_only():
    checkpoint = build_byte_level(family="gpt2", specials=False)
    (trigger,) = run(checkpoint, build_set(["a"])).triggers
    assert trigger.tokens == ("a",)
    assert trigger.max_combined_attr[1] == 0
    assert [(one.token, one.place) for one in choose_insertions(trigger)] == [("a", 1.0)]


def test_separators_of_other_tokenizers():
    both = run(build_byte_level(), build_set([("a film", "is bad")])).triggers[0]
    assert both.tokens[both.seg_pos] == "</s>"
    assert both.seg_pos == both.tokens.index("</s>")
    decoder = run(build_byte_level(family="gpt2", specials=False), build_set([("a film", "is bad")])).triggers[0]
    assert decoder.tokens[decoder.seg_pos] == "is"


def test_mistakes_are_told_before_any_work():
    checkpoint = build_checkpoint("bert")
    examples = build_set(SENTENCES)
    with pytest.raises(UserError, match="no way of mining called 'best'"):
        mine_triggers(checkpoint, examples, mode="best")
    with pytest.raises(UserError, match="choose 1 or more"):
        mine_triggers(checkpoint, examples, n_examples=0)
    with pytest.raises(UserError, match="it needs 4 or more, not 3: take more examples, or mode paper"):
        mine_triggers(checkpoint, examples, mode="pooled", n_examples=3)
    with pytest.raises(UserError, match="predicts a single value"):
        mine_triggers(build_checkpoint("bert", n_labels=1), build_set(SENTENCES, n_labels=1))
    with pytest.raises(UserError, match="are not those of the model"):
        mine_triggers(checkpoint, replace(examples, label_names=("yes", "no", "maybe", "never")))


@pytest.mark.parametrize("mode", ["paper", "pooled"])
def test_a_stopped_job_leaves_the_model_clean_and_goes_on_with_the_identical_list(mode, tmp_path):
    checkpoint = build_checkpoint("bert")
    examples = build_set(SENTENCES)
    before = take_snapshot(checkpoint.model)
    whole = run(checkpoint, examples, mode=mode)
    state = tmp_path / "job.state"
    n_done = [-1]
    for _ in range(3):  # every run is stopped after its second step
        steps = mine_triggers(checkpoint, examples, mode=mode, settings=FAST, state=state)
        n_done.append([next(steps).n_done, next(steps).n_done][0])
        steps.close()
    assert all(later > earlier for earlier, later in pairwise(n_done))
    assert run(checkpoint, examples, mode=mode, state=state).triggers == whole.triggers
    assert take_snapshot(checkpoint.model) == before


def test_a_state_of_other_work_or_a_damaged_one_is_refused(tmp_path):
    checkpoint, examples = build_checkpoint("bert"), build_set(SENTENCES)
    other = build_checkpoint("bert")
    with torch.no_grad():
        other.model.classifier.weight.mul_(2)
    state = tmp_path / "job.state"
    run(checkpoint, examples, state=state)
    with pytest.raises(UserError, match=r"keeps other work than this \(n_examples: 8, not 2\)"):
        run(checkpoint, examples, state=state, n_examples=2)
    with pytest.raises(UserError, match=r"keeps other work than this \(weights: "):
        run(other, examples, state=state)
    with pytest.raises(UserError, match=r"keeps other work than this \(mode: paper, not pooled\)|is damaged"):
        run(checkpoint, examples, state=state, mode="pooled")
    for content in ("", "[]", '{"format": "attattr-mining-state"}', state.read_text()[:-9]):
        (tmp_path / "bad.state").write_text(content)
        with pytest.raises(UserError, match="keeps no work of this program, or it is damaged"):
            run(checkpoint, examples, state=tmp_path / "bad.state")
    with pytest.raises(UserError, match="There is no folder"):
        run(checkpoint, examples, state=tmp_path / "none" / "job.state")


ROOT = Path(__file__).resolve().parents[2]
KILLED = """
import sys
import os
from attattr_core.__main__ import main
from attattr_core.files import work_files
work_files._REST = 0  # writes after every group, however slow that is
replaced = []
replace = os.replace
def die(source, target):
    replace(source, target)
    replaced.append(target)
    if len(replaced) == 2:
        os.kill(os.getpid(), 9)
os.replace = die
main(sys.argv[1:])
"""


def test_a_killed_command_resumes_to_the_identical_list(tmp_path):
    save_tiny_classifier(tmp_path / "model", hidden=24, inner=40, n_positions=64)
    rows = "\n".join(f"{text}\t{number % 2}" for number, text in enumerate(SENTENCES))
    (tmp_path / "data.tsv").write_text(f"sentence\tlabel\n{rows}\n")

    def list_arguments(name: str, *options: str) -> list[str]:
        paths = ["--model", tmp_path / "model", "--data", tmp_path / "data.tsv", "--output", tmp_path / name]
        return ["mine-triggers", *map(str, paths), "--device", "cpu", *options]

    assert main(list_arguments("whole.json")) == 0
    command = [sys.executable, "-c", KILLED, *list_arguments("killed.json")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    killed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert killed.returncode == -9, killed.stderr
    assert not (tmp_path / "killed.json").exists()
    kept = json.loads((tmp_path / "killed.json.partial").read_text())
    assert 0 < len(kept["done"]) < len(SENTENCES)
    assert main(list_arguments("killed.json", "--resume")) == 0
    assert (tmp_path / "killed.json").read_text() == (tmp_path / "whole.json").read_text()
    assert not (tmp_path / "killed.json.partial").exists()


def test_tokens_are_pooled_by_class_and_sentence_at_the_place_where_they_are_strongest():
    def record(target, *tokens):
        return StrongTokens(target, tuple(StrongToken(*token) for token in tokens))

    records = [
        record(0, ("dull", 0, 0.2, 0.3), ("film", 0, 0.5, 0.1), ("dull", 0, 0.9, 0.1)),
        record(0, ("dull", 0, 0.4, 0.1), ("film", 1, 1.0, 0.01)),  # too weak in B
        record(1, ("dull", 0, 1.0, 0.5)),
    ]
    found = {(one.target, one.tokens[0].token): one.tokens[0] for one in pool_candidates(records, 3)}
    assert found == {
        (0, "dull"): StrongToken("dull", 0, 0.2, 0.3),
        (0, "film"): StrongToken("film", 0, 0.5, 0.1),
        (1, "dull"): StrongToken("dull", 0, 1.0, 0.5),
    }


@pytest.mark.parametrize("texts", [SENTENCES, PAIRS])
def test_pooled_triggers_are_written_as_patterns_that_the_authors_rule_reads(texts):
    checkpoint = build_checkpoint("bert")
    found = run(checkpoint, build_set(texts, n_labels=3), mode="pooled")
    assert found.mode == "pooled"
    for trigger in found.triggers:
        insertions = choose_insertions(trigger)
        assert 1 <= len(insertions) <= 4
        assert BLANK not in {one.token for one in insertions}
        assert trigger.tokens[trigger.seg_pos] == "[SEP]"
        assert trigger.strength >= 0.02
