"""The commands ``tree`` and ``faithfulness``: the authors' files give the authors' edges, mistakes are one sentence."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from samples import make_attribution

from attattr_core import attribute, build_tree, load_checkpoint, load_tree, save_attribution
from attattr_core.__main__ import main
from attattr_core.authors import dump_authors_lines
from attattr_core.results import load_result


def run(*arguments) -> int:
    return main(["tree", *map(str, arguments)])


@pytest.fixture
def result(tmp_path):
    """The path of a result file of ours."""
    path = tmp_path / "result.npz"
    save_attribution(make_attribution(n_layers=4), path)
    return path


@pytest.mark.parametrize(("task", "index"), [(task, index) for task in ("sst-2", "mnli") for index in (0, 1)])
def test_the_authors_files_give_the_authors_edges(golden, tmp_path, task, index):
    lines, output = tmp_path / f"attr_zero_base_exp{index}.json", tmp_path / "tree.json"
    with np.load(golden / task / f"example_{index}.npz") as example:
        lines.write_text(dump_authors_lines(example["attribution"]), encoding="utf-8")
    tokens = golden / task / "tokens_and_pred_40.json"
    arguments = ["--attribution", lines, "--tokens", tokens, "--index", index, "--mode", "paper", "--threshold", 0.4]
    assert run(*arguments, "--output", output) == 0
    expected = json.loads((golden / task / f"tree_{index}.json").read_text(encoding="utf-8"))
    written = json.loads(output.read_text(encoding="utf-8"))
    assert set(expected) <= set(written)
    assert written["tokens"] == expected["tokens"]
    assert sorted(written["edges"]) == sorted(expected["edges"])
    assert written["height"] == pytest.approx(expected["height"])
    assert run("--attribution", lines, "--tokens", tokens, "--index", index, "--output", tmp_path / "flow.png") == 0


def test_every_kind_of_output(tmp_path, result):
    for suffix, start in (
        ("json", b"{"),
        ("graphml", b"<graphml"),
        ("svg", b"<?xml"),
        ("png", b"\x89PNG"),
        ("pdf", b"%PDF"),
    ):
        assert run("--attribution", result, "--output", tmp_path / f"out.{suffix}") == 0
        assert (tmp_path / f"out.{suffix}").read_bytes().startswith(start)
    assert load_tree(tmp_path / "out.json") == build_tree(make_attribution(n_layers=4))
    ET.parse(tmp_path / "out.graphml")


def test_options_are_those_of_python(tmp_path, result):
    output = tmp_path / "out.json"
    for options, keywords in (
        (["--n-edges", 5], {"n_edges": 5}),
        (["--mass", 0.2, "--words"], {"mass": 0.2, "words": True}),
        (["--threshold", 0.3], {"threshold": 0.3}),
        (["--mode", "paper", "--threshold", 0.2], {"mode": "paper", "threshold": 0.2}),
    ):
        assert run("--attribution", result, *options, "--output", output) == 0
        assert load_tree(output) == build_tree(make_attribution(n_layers=4), **keywords)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--attribution", "none.npz"], "no file"),
        (["--attribution", "none.json", "--tokens", "none.json"], "no file"),
        (["--attribution", "lists.json"], "with --tokens"),
        (["--attribution", "lists.json", "--tokens", "lists.json"], "no entry 0"),
        (["--attribution", "result.npz", "--threshold", "2"], "threshold is 2.0"),
        (["--attribution", "result.npz", "--mass", "-1"], "mass is -1.0"),
        (["--attribution", "result.npz", "--n-edges", "-1"], "number of edges is -1"),
        (["--attribution", "result.npz", "--mode", "paper", "--n-edges", "3"], "belong to --mode flow"),
        (["--attribution", "result.npz", "--deletion"], "give --model"),
        (["--attribution", "result.npz", "--deletion", "--model", "sst2"], "belongs to revision 'abc'"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path, capsys, monkeypatch, result, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lists.json").write_text("[[[0.5]]]\n[[[0.5]]]\n")
    before = sorted(tmp_path.iterdir())
    assert run(*arguments, "--output", "out.png") == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert sentence in error
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(("name", "sentence"), [("out.txt", ".txt"), ("missing/out.json", "missing")])
def test_an_output_that_cannot_be_written_is_found_before_work(tmp_path, capsys, result, name, sentence):
    assert run("--attribution", result, "--output", tmp_path / name) == 2
    assert sentence in capsys.readouterr().err


def test_the_deletion_curves_lie_beside_the_tree(tmp_path, capsys):
    path = tmp_path / "result.npz"
    save_attribution(attribute(load_checkpoint("sst2", device="cpu"), "A small miracle."), path)
    arguments = ["--attribution", path, "--n-edges", 3, "--deletion", "--model", "sst2", "--device", "cpu"]
    assert run(*arguments, "--output", tmp_path / "out.svg") == 0
    assert (tmp_path / "out.curves.svg").read_bytes().startswith(b"<?xml")
    curves = json.loads((tmp_path / "out.curves.json").read_text())
    assert curves["counts"] == [0, 1, 2, 3]
    assert len(curves["deletion"]["tree"]) == len(curves["insertion"]["random"][0]) == 4
    assert f"deletion: area from the tree {curves['areas']['deletion']['attention']:+.4f}" in capsys.readouterr().err


def test_faithfulness_of_a_few_examples(tmp_path, capsys):
    data, output = tmp_path / "few.tsv", tmp_path / "out.json"
    data.write_text("sentence\tlabel\nA small miracle.\tpositive\nDull.\tnegative\nA mess.\tnegative\n")
    arguments = ["--model", "sst2", "--data", data, "--n-examples", 2, "--n-seeds", 1, "--device", "cpu"]
    assert main(["faithfulness", *map(str, arguments), "--output", str(output)]) == 0
    figures = load_result(output)
    assert (figures.n, figures.data, set(figures.modes)) == (2, "few.tsv", {"flow", "paper"})
    assert "flow trees, 16.0 edges" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--model", "elsewhere"], "give one with --data"),
        (["--model", "sst2", "--data", "none.tsv"], "no file 'none.tsv'"),
        (["--model", "sst2", "--n-examples", "0"], "--n-examples is 0"),
        (["--model", "sst2", "--n-seeds", "0"], "--n-seeds is 0"),
        (["--model", "sst2", "--seed", "-1"], "--seed is -1"),
    ],
)
def test_a_mistake_of_faithfulness_is_one_sentence(tmp_path, capsys, arguments, sentence):
    assert main(["faithfulness", *arguments, "--output", str(tmp_path / "out.json")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert sentence in error


@pytest.mark.parametrize("command", ["tree", "faithfulness"])
def test_help_needs_no_torch(command):
    code = (
        "import sys; from attattr_core.__main__ import main\n"
        f"try: main(['{command}', '--help'])\n"
        "except SystemExit: print('torch' in sys.modules, 'gradio' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False False"
    assert "--output" in done.stdout
