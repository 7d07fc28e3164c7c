"""The commands mine-triggers and evaluate-triggers, from a table of texts to lists, tables and pictures."""

import json

import pytest
from random_models import save_tiny_classifier
from trigger_cases import PAIRS, SENTENCES

from attattr_core.__main__ import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("commands")
    for name, size in (("model", 24), ("other", 32)):
        save_tiny_classifier(folder / name, hidden=size, inner=40, n_positions=64)
    rows = [f"{text}\t{number % 2}" for number, text in enumerate(SENTENCES)]
    (folder / "mined.tsv").write_text("\n".join(["sentence\tlabel", *rows[:4]]) + "\n")
    (folder / "fresh.tsv").write_text("\n".join(["sentence\tlabel", *rows[4:]]) + "\n")
    pairs = [f"{first}\t{second}\t{('no', 'yes')[number % 2]}" for number, (first, second) in enumerate(PAIRS)]
    (folder / "pairs.tsv").write_text("\n".join(["premise\thypothesis\tlabel", *pairs]) + "\n")
    return folder


def call(folder, command, output, *options, model="model", data="fresh.tsv") -> int:
    paths = ["--model", str(folder / model), "--data", str(folder / data), "--output", str(folder / output)]
    return main([command, *paths, "--device", "cpu", *map(str, options)])


@pytest.fixture(scope="module")
def mined(folder):
    assert call(folder, "mine-triggers", "triggers.json", data="mined.tsv") == 0
    return folder / "triggers.json"


def evaluate(folder, output, mined, *options, **paths) -> int:
    return call(folder, "evaluate-triggers", output, "--triggers", mined, "--threshold", "-1", *options, **paths)


def test_mining_writes_a_list_with_the_authors_keys(mined, folder, capsys):
    entries = json.loads(mined.read_text())
    assert len(entries) == 4
    assert entries[0]["provenance"]["data"] == "mined.tsv"
    assert not (folder / "triggers.json.partial").exists()
    options = ["--n-examples", 3, "--seed", 1, "--without-texts"]
    assert call(folder, "mine-triggers", "few.json", *options, data="mined.tsv") == 0
    few = json.loads((folder / "few.json").read_text())
    assert len(few) == 3
    assert all("…" in entry["tokens"] for entry in few)
    assert "3 patterns from 3 examples" in capsys.readouterr().err
    assert call(folder, "mine-triggers", "few.json", *options, "--min-tokens", 500, data="mined.tsv") == 2
    assert "None of the 3 examples of 'mined.tsv' has 500 tokens" in capsys.readouterr().err
    assert call(folder, "mine-triggers", "pooled.json", "--mode", "pooled", data="mined.tsv") == 0


def test_evaluation_writes_accuracies_controls_a_table_and_a_picture(mined, folder, capsys):
    more = [
        "--controls",
        2,
        "--table",
        folder / "table.csv",
        "--picture",
        folder / "picture.svg",
        "--use-all",
        "--as-words",
    ]
    assert evaluate(folder, "study.json", mined, *more) == 0
    entries = json.loads((folder / "study.json").read_text())
    assert len(entries) == 4
    for entry in entries:
        assert 0 <= entry["no"] <= 1 >= entry["yes"] >= 0
        assert [len(control["insertions"]) for control in entry["controls"]] == [2, 2]
    assert "trigger,tokens,places" in (folder / "table.csv").read_text()
    assert (folder / "picture.svg").read_text().startswith("<?xml")
    assert "of 2 right before" in capsys.readouterr().err


def test_transfer_and_pairs(mined, folder):
    options = ["--controls", 1, "--transfer-model", folder / "other", "--controls-for", "best", "--n-triggers", 2]
    assert evaluate(folder, "transfer.json", mined, *options, data="pairs.tsv") == 0
    entries = json.loads((folder / "transfer.json").read_text())
    assert entries[0]["study"]["model"].endswith("other")
    assert entries[0]["study"]["source_model"].endswith("model")


@pytest.mark.parametrize(
    ("options", "paths", "sentence"),
    [
        ((), {"data": "mined.tsv"}, "4 of the 4 examples of 'mined.tsv' were used for mining"),
        (("--n-triggers", 0), {}, "--n-triggers is 0: choose 1 or more."),
        (("--picture", "x.gif"), {}, "'x.gif' ends in '.gif'"),
        (("--controls", -1), {}, "choose 0 or more of both"),
        (("--threshold", 9), {}, "None of the 4 triggers has a strength of 9 or more"),
        (("--triggers", "none.json"), {}, "There is no file 'none.json'"),
    ],
)
def test_mistakes_are_one_sentence(mined, folder, capsys, options, paths, sentence):
    assert evaluate(folder, "x.json", mined, *options, **paths) == 2
    assert sentence in capsys.readouterr().err
    assert not (folder / "x.json").exists()


def test_what_is_not_known_is_said(mined, folder, capsys):
    entries = json.loads(mined.read_text())
    del entries[0]["provenance"]
    (folder / "theirs.json").write_text(json.dumps(entries))
    assert evaluate(folder, "known.json", mined, "--controls", 0) == 0
    printed = capsys.readouterr().err
    assert "does not say which examples were mined" not in printed
    assert "The labels of fresh.tsv are indices" in printed
    assert evaluate(folder, "evaluated.json", folder / "theirs.json", "--controls", 0) == 0
    assert "'theirs.json' does not say which examples were mined" in capsys.readouterr().err


def test_work_that_is_refused_or_begun_anew_loses_nothing_that_was_done(folder, capsys):
    partial = folder / "job.json.partial"
    for content in ("A", "B"):
        partial.write_text(content)
        assert call(folder, "mine-triggers", "job.json", "--n-examples", 0, data="mined.tsv") == 2
        assert "choose 1 or more" in capsys.readouterr().err
        assert partial.read_text() == content
        assert call(folder, "mine-triggers", "job.json", "--n-examples", 1, data="mined.tsv") == 0
        assert "keeps what was done before" in capsys.readouterr().err
        assert not partial.exists()
    assert [(folder / f"job.json.partial.old{number}").read_text() for number in ("", 1)] == ["A", "B"]


def test_an_empty_list_and_texts_that_are_cut_are_told(folder, capsys):
    (folder / "empty.json").write_text("[]")
    assert evaluate(folder, "x.json", folder / "empty.json") == 2
    assert "The list holds no triggers: mine more examples." in capsys.readouterr().err
    (folder / "long.tsv").write_text("sentence\tlabel\n" + "a film " * 400 + "\t0\na film\t1\n")
    assert call(folder, "mine-triggers", "cut.json", "--n-examples", 2, data="long.tsv") == 0
    assert "Of the data to mine, 1 of the 2 texts was longer than what is taken here" in capsys.readouterr().err


def test_an_evaluation_that_is_stopped_says_so(mined, folder, capsys, monkeypatch):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("attattr_core.triggers.passes.measure_trigger", stop)
    assert evaluate(folder, "x.json", mined) == 2
    assert "The evaluation was stopped and nothing was written" in capsys.readouterr().err
    assert not (folder / "x.json").exists()
