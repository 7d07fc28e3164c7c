"""The commands ``prune`` and ``compare-heads``: the authors' files give their curve, mistakes are one sentence."""

import hashlib
import json

import numpy as np
import pytest
from random_models import save_tiny_classifier

from attattr_core.__main__ import main
from attattr_core.heads import predictions, pruning
from attattr_core.heads.importance_files import save_importance
from attattr_core.heads.results import HeadImportance
from attattr_core.heads.study_files import load_study


@pytest.fixture
def folder(tmp_path):
    """A folder with a tiny classifier, data and two importances, of two layers of two heads."""
    save_tiny_classifier(tmp_path / "model", hidden=16, inner=16, n_positions=32)
    rows = [
        f"the film is {word}\t{label}" for word, label in (("good", 1), ("bad", 0), ("dull", 0), ("warm", 1), ("a", 0))
    ]
    (tmp_path / "data.tsv").write_text("\n".join(["sentence\tlabel", *rows]) + "\n", encoding="utf-8")
    for name, method, values in (("a", "attattr", [[1, 2], [3, 4]]), ("b", "taylor", [[4, 1], [2, 3]])):
        facts = {"data": "data.tsv", "data_sha256": "1" * 64, "n_examples": 2}
        save_importance(HeadImportance(np.array(values, float), method, **facts), tmp_path / f"{name}.json")
    (tmp_path / "flat.json").write_text("[3, 2, 1, 0]")
    return tmp_path


def prune(folder, *arguments, importances=("a.json",)) -> int:
    given = [part for name in importances for part in ("--importance", folder / name)]
    data = [] if "--data" in arguments else ["--data", folder / "data.tsv"]
    return main(["prune", "--model", *map(str, [folder / "model", *data, *given, *arguments])])


def test_the_authors_importance_gives_the_authors_curve(golden, tmp_path):
    output = tmp_path / "curve.json"
    files = {"--model": "checkpoint", "--importance": "head_importance_attr.json", "--data": "data/dev.tsv"}
    paths = [part for option, name in files.items() for part in (option, str(golden / "sst-2" / name))]
    assert main(["prune", *paths, "--direction", "least-first", "--n-seeds", "0", "--output", str(output)]) == 0
    written = json.loads(output.read_text(encoding="utf-8"))
    expected = json.loads((golden / "sst-2" / "prune_result_attr.json").read_text(encoding="utf-8"))
    np.testing.assert_allclose(written["rates"], np.arange(11) / 10)
    assert np.rint(np.abs(np.subtract(written["metric"], expected)) * 200).max() <= 1


def test_the_whole_study_is_written(folder, capsys):
    output, picture = folder / "out.json", folder / "out.svg"
    options = ["--layerwise", "--n-seeds", 2, "--every-head", "--picture", picture, "--output", output]
    assert prune(folder, *options, importances=("a.json", "b.json")) == 0
    study = load_study(output)
    assert list(study.importances) == ["attattr", "taylor"]
    assert study.curves[0].n_pruned.tolist() == [0, 1, 2, 3, 4]
    assert (len(study.curves), len(study.layerwise), study.n_examples) == (5, 5, 5)
    assert {path.name for path in folder.iterdir()} >= {"out.svg", "out.layers.svg"}
    assert not list(folder.glob("*.partial"))
    printed = capsys.readouterr().err
    assert "accuracy on 5 examples" in printed
    assert "attattr less taylor, least-first" in printed


def test_tables_and_two_files_of_one_method(folder):
    output = folder / "out.csv"
    save_importance(HeadImportance(np.eye(2), "attattr"), folder / "c.json")
    assert prune(folder, "--n-seeds", 0, "--output", output, importances=("a.json", "c.json", "flat.json")) == 0
    assert {line.split(",")[1] for line in output.read_text().splitlines()[1:]} == {"a", "c", "flat"}
    assert (folder / "out.areas.csv").read_text().startswith("curve,method,minus")


def test_unseen_examples_and_a_choice(folder, capsys):
    digest = hashlib.sha256((folder / "data.tsv").read_bytes()).hexdigest()
    seen = HeadImportance(np.eye(2), "attattr", data_sha256=digest, n_examples=2)
    save_importance(seen, folder / "seen.json")
    output = folder / "out.json"
    options = ["--n-seeds", 0, "--direction", "least-first", "--output", output]
    assert prune(folder, *options, "--unseen", importances=("seen.json",)) == 0
    assert load_study(output).n_examples == 3
    assert "ranked the heads" not in capsys.readouterr().err
    assert prune(folder, *options, importances=("seen.json",)) == 0
    assert "2 of the 5 examples of the data ranked the heads" in capsys.readouterr().err
    assert prune(folder, *options, "--n-examples", 4) == 0
    assert load_study(output).n_examples == 4


def test_work_that_was_cut_off_goes_on(folder, monkeypatch, capsys):
    output = folder / "out.json"
    options = ["--n-seeds", 1, "--output", output]
    assert prune(folder, *options) == 0
    expected = output.read_text()
    output.unlink()

    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(pruning, "summarise", stop)
    assert prune(folder, *options) == 2
    assert "--resume goes on" in capsys.readouterr().err
    assert (folder / "out.json.partial").exists()
    monkeypatch.undo()
    monkeypatch.setattr(predictions, "predict_pruned", None)  # all batches are in the file
    assert prune(folder, *options, "--resume") == 0
    assert output.read_text() == expected


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--output", "out.txt"], "choose one of .json, .csv"),
        (["--output", "out.json", "--picture", "out.jpg"], "choose one of .png"),
        (["--output", "nowhere/out.json"], "no folder"),
        (["--output", "out.json", "--n-examples", "0"], "--n-examples is 0"),
        (["--output", "out.json", "--seed", "-1"], "--seed is -1"),
        (["--output", "out.json", "--n-seeds", "-1"], "random orders is -1"),
        (["--output", "out.json", "--metric", "pearson"], "predicts classes"),
        (["--output", "out.json", "--data", "missing.tsv"], "missing.tsv"),
        (["--output", "out.json", "--importance", "missing.json"], "There is no file"),
        (["--output", "out.json", "--importance", "model/config.json"], "holds no head importance"),
        (["--output", "out.json", "--importance", "other.json"], "3 layers of 4 heads"),
        (["--output", "out.json", "--importance", "a.json"], "both called 'a'"),
        (["--output", "a.json"], "is what this command reads"),
        (["--output", "table.csv", "--data", "table.areas.csv"], "'table.areas.csv' is what this command reads"),
        (["--output", "out.json", "--importance", "large.json"], "holds no head importance"),
        (["--output", "taken.json"], "taken.json.partial' is in the way"),
        (["--output", "o" * 300 + ".json"], "cannot be written"),
        (["--output", "out.json", "--model", "x" * 3000], "names no model"),
    ],
)
def test_a_mistake_is_one_sentence(folder, capsys, monkeypatch, arguments, sentence):
    monkeypatch.chdir(folder)
    save_importance(HeadImportance(np.ones((3, 4)), "taylor"), folder / "other.json")
    (folder / "table.areas.csv").write_text("sentence,label\na film,no\n")
    (folder / "large.json").write_text("[[1e308, -1e308], [1, 2]]")
    (folder / "taken.json.partial").mkdir()
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert prune(folder, *arguments) == 2
    assert before == {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    *notices, error = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ")
    assert sentence in error
    assert all(notice.startswith("The labels of data.tsv") for notice in notices)


def test_without_data_the_embedded_set_is_taken(folder, capsys):
    arguments = ["--importance", str(folder / "a.json"), "--output", str(folder / "out.json")]
    assert main(["prune", "--model", str(folder / "model"), *arguments]) == 2
    assert "give one with --data" in capsys.readouterr().err


def test_two_importances_are_compared(folder, capsys):
    output, picture = folder / "out.json", folder / "out.pdf"
    paths = [str(folder / name) for name in ("a.json", "b.json")]
    assert main(["compare-heads", *paths, "--output", str(output), "--picture", str(picture)]) == 0
    facts = json.loads(output.read_text())
    assert facts == {"pearson": pytest.approx(-0.2), "spearman": pytest.approx(-0.2), "n_heads": 4}
    assert picture.read_bytes().startswith(b"%PDF")
    assert "Pearson's r -0.2000, Spearman's rho -0.2000" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("second", "options", "status", "sentence"),
    [
        ("flat.json", [], 2, "give --shape, such as 12x12"),
        ("flat.json", ["--shape", "2x2"], 0, "Pearson's r -1.0000"),
        ("other.json", [], 2, "'a.json' and 'other.json'"),
        ("missing.json", [], 2, "There is no file"),
        ("b.json", ["--output", "b.json"], 2, "'b.json' is what this command reads"),
        ("b.json", ["--output", "new.json", "--picture", "nowhere/a.png"], 2, "no folder 'nowhere'"),
    ],
)
def test_flat_lists_and_mistakes(folder, capsys, monkeypatch, second, options, status, sentence):
    save_importance(HeadImportance(np.ones((3, 4)), "taylor"), folder / "other.json")
    monkeypatch.chdir(folder)
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert main(["compare-heads", str(folder / "a.json"), str(folder / second), *options]) == status
    assert before == {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("shape", ["axb", "2", "0x4", "-1x4", "2x2x2"])
def test_a_shape_that_is_none_is_said(folder, capsys, shape):
    with pytest.raises(SystemExit):
        main(["compare-heads", str(folder / "a.json"), str(folder / "flat.json"), f"--shape={shape}"])
    assert f"'{shape}' is no number of layers and heads: write them as 12x12" in capsys.readouterr().err
