"""The command ``heads``: what it writes is what Python gives, a stopped job goes on, and mistakes are one sentence."""

import json

import numpy as np
import pytest
from random_models import save_tiny_classifier

from attattr_core import Settings, load_checkpoint
from attattr_core.__main__ import main
from attattr_core.datasets import read_examples
from attattr_core.heads import importance as importance_module
from attattr_core.heads.importance import measure_importance
from attattr_core.heads.importance_files import load_importance
from attattr_core.heads.study_files import load_study


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny classifier and data of several lengths."""
    folder = tmp_path_factory.mktemp("heads")
    save_tiny_classifier(folder / "model", hidden=16, inner=24, n_positions=64)
    rows = [f"{'the film is good ' * (1 + index % 9)}\t{('no', 'yes')[index % 2]}" for index in range(24)]
    (folder / "data.tsv").write_text("sentence\tlabel\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return folder


def run(folder, *arguments) -> int:
    options = ["--model", folder / "model", "--data", folder / "data.tsv", "--device", "cpu", *arguments]
    return main(["heads", *map(str, options)])


def test_what_is_written_is_what_python_gives(folder, tmp_path, capsys):
    output, picture = tmp_path / "out.json", tmp_path / "out.svg"
    options = ["--rule", "left", "--n-steps", 3, "--n-examples", 10, "--seed", 1]
    assert run(folder, *options, "--output", output, "--picture", picture) == 0
    checkpoint = load_checkpoint(folder / "model", device="cpu")
    examples = read_examples(folder / "data.tsv", labels=checkpoint.labels)
    settings = Settings(rule="left", n_steps=3)
    *_, last = measure_importance(checkpoint, examples, n_examples=10, seed=1, settings=settings)
    found = load_importance(output, shape=(2, 2))
    np.testing.assert_array_equal(found.values, last.importance.values)
    assert json.loads(output.read_text())["head_importance"] == last.importance.values.tolist()
    assert (found.n_examples, found.seed, found.settings, found.data) == (10, 1, settings, "data.tsv")
    assert found.revision == checkpoint.revision != ""
    assert found.data_sha256 == examples.sha256
    assert picture.read_bytes().startswith(b"<?xml")
    assert "attattr on 10 examples: 2 layers of 2 heads; most important (layer.head): " in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"out.json", "out.svg"}


@pytest.mark.parametrize("method", ["taylor", "taylor-authors", "ablation", "attention", "random"])
def test_every_method(folder, tmp_path, method):
    output, picture = tmp_path / "out.json", tmp_path / "out.png"
    assert run(folder, "--method", method, "--n-examples", 6, "--output", output, "--picture", picture) == 0
    assert load_importance(output).method == method
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_file_that_holds_the_same_is_left_as_it_is(folder, tmp_path, capsys, monkeypatch):
    output = tmp_path / "out.json"
    options = ["--method", "attention", "--n-examples", 6, "--output", output]
    assert run(folder, *options) == 0
    before = output.read_bytes(), output.stat().st_mtime_ns
    monkeypatch.setattr(importance_module, "measure_batch", None)  # nothing is measured
    assert run(folder, *options) == 0
    assert (output.read_bytes(), output.stat().st_mtime_ns) == before
    assert "held it already" in capsys.readouterr().err
    monkeypatch.undo()
    assert run(folder, *options[:3], 7, *options[4:]) == 0
    assert load_importance(output).n_examples == 7


def test_texts_that_were_cut_are_counted(folder, tmp_path, capsys):
    output = tmp_path / "out.json"
    long, short = "the film is good " * 40, "the film is good"
    rows = [f"{text}\t{label}" for text, label in ((long, "no"), (short, "yes"), (long, "yes"), (long, "no"))]
    (tmp_path / "long.tsv").write_text("\n".join(["sentence\tlabel", *rows]), encoding="utf-8")
    data = ["--data", tmp_path / "long.tsv"]
    for n_examples, n_cut, said in ((4, 3, "3 of the 4 texts were longer"), (2, 1, "1 of the 2 texts was longer")):
        for method in ("attattr", "attention"):
            options = ["--method", method, "--n-examples", n_examples, "--output", output]
            assert run(folder, *data, *options) == 0
            assert load_importance(output).n_cut == n_cut
            assert said in capsys.readouterr().err
    assert main(["prune", *map(str, ["--model", folder / "model", *data]), "--importance", str(output),
                 "--n-seeds", "0", "--output", str(tmp_path / "study.json")]) == 0  # fmt: skip
    assert "3 of the 4 texts were longer" in capsys.readouterr().err
    study = load_study(tmp_path / "study.json")
    assert (study.n_cut, study.importances["attention"].n_cut) == (3, 1)
    arguments = ["--heads", "1:1", "--output", tmp_path / "small"]
    assert main(["shrink", *map(str, ["--model", folder / "model", *data, *arguments])]) == 0
    assert "3 of the 4 texts were longer" in capsys.readouterr().err
    assert json.loads((tmp_path / "small" / "removal.json").read_text())["measured"]["n_cut"] == 3
    assert "3 of the 4 texts were longer" in (tmp_path / "small" / "README.md").read_text()


def test_ctrl_c_keeps_what_is_done(folder, tmp_path, capsys, monkeypatch):
    own, n_calls = importance_module.measure_batch, 0

    def press(*parts):
        nonlocal n_calls
        n_calls += 1
        if n_calls == 3:
            raise KeyboardInterrupt
        return own(*parts)

    output, whole = tmp_path / "out.json", tmp_path / "whole.json"
    options = ["--method", "taylor", "--n-examples", 24]
    monkeypatch.setattr(importance_module, "measure_batch", press)
    assert run(folder, *options, "--output", output) == 2
    error = capsys.readouterr().err
    assert "of 24 examples: the same command with --resume goes on from there" in error
    assert not output.exists()
    assert (tmp_path / "out.json.partial").exists()
    assert run(folder, *options, "--resume", "--output", output) == 0
    n_resumed = n_calls
    assert run(folder, *options, "--output", whole) == 0
    assert n_resumed - 3 == n_calls - n_resumed - 2  # two batches were not measured again
    assert output.read_text() == whole.read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"out.json", "whole.json"}


def test_what_a_stopped_job_did_is_refused_for_other_work_and_set_aside_without_resume(folder, tmp_path, capsys):
    output, partial = tmp_path / "out.json", tmp_path / "out.json.partial"
    partial.write_text("{}")
    assert run(folder, "--method", "attention", "--output", output, "--resume") == 2
    assert "'out.json.partial' keeps no work of this program, or it is damaged" in capsys.readouterr().err
    assert run(folder, "--method", "attention", "--output", output) == 0
    assert "out.json.partial.old' keeps what was done before" in capsys.readouterr().err
    assert not partial.exists()
    assert (tmp_path / "out.json.partial.old").read_text() == "{}"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--output", "out.txt"], "choose one of .json"),
        (["--output", "nowhere/out.json"], "no folder 'nowhere'"),
        (["--output", "out.json", "--picture", "out.gif"], "choose one of .png, .svg, .pdf"),
        (["--output", "out.json", "--method", "taylor", "--n-steps", "20"], "belong to attattr, not to taylor"),
        (["--output", "out.json", "--n-examples", "0"], "number of examples is 0"),
        (["--output", "out.json", "--seed", "-1"], "seed is -1"),
        (["--output", "out.json", "--n-steps", "0"], "number of nodes is 0"),
        (["--output", "out.json", "--data", "none.tsv"], "no file 'none.tsv'"),
    ],
)
def test_mistakes_are_one_sentence(folder, tmp_path, capsys, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    assert run(folder, *arguments) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert "Traceback" not in error
    assert not list(tmp_path.iterdir())


def test_what_is_read_is_not_written_over(folder, tmp_path, capsys):
    data = tmp_path / "data.json"
    data.write_text('[{"text": "good", "label": "yes"}, {"text": "bad", "label": "no"}]')
    (tmp_path / "link.json").symlink_to(data)
    (tmp_path / "model").symlink_to(folder / "model")
    before = {path: path.read_bytes() for path in (data, folder / "model" / "config.json")}
    for output in (data, tmp_path / "link.json", folder / "model" / "config.json", tmp_path / "model" / "config.json"):
        assert run(folder, "--data", data, "--method", "attention", "--output", output) == 2
        assert "is what this command reads: choose another file" in capsys.readouterr().err
    assert before == {path: path.read_bytes() for path in before}
    (tmp_path / "here.json").symlink_to(tmp_path / "there.json")
    assert run(folder, "--method", "attention", "--output", tmp_path / "here.json") == 0
    assert (tmp_path / "here.json").is_symlink()
    assert load_importance(tmp_path / "there.json").n_examples == 24


def test_what_is_in_the_way_of_unfinished_work_is_one_sentence(folder, tmp_path, capsys):
    (tmp_path / "out.json.partial").mkdir()
    assert run(folder, "--method", "attention", "--output", tmp_path / "out.json") == 2
    assert "out.json.partial' is in the way: remove it." in capsys.readouterr().err


def test_a_model_without_embedded_data_needs_some(folder, tmp_path, capsys):
    assert main(["heads", "--model", str(folder / "model"), "--output", str(tmp_path / "out.json")]) == 2
    assert "give one with --data" in capsys.readouterr().err
