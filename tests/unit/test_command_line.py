"""The command line: what it writes is what Python gives, and mistakes are one sentence."""

import json
import subprocess
import sys
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from attattr_core import Settings, attribute, load_attribution, load_checkpoint
from attattr_core.__main__ import main
from attattr_core.engine import path
from attattr_core.engine.replay import replay

PAIR = ("Two dogs are asleep.", "The dogs are running.")


def run(*arguments) -> int:
    return main(["attribute", *map(str, arguments)])


def test_npz_is_what_python_gives(tmp_path):
    path = tmp_path / "out.npz"
    options = ["--rule", "right", "--n-steps", 2, "--baseline", "uniform", "--function", "logit", "--target", "neutral"]
    assert run("--model", "snli", "--text", PAIR[0], "--text-pair", PAIR[1], *options, "--output", path) == 0
    settings = Settings(rule="right", n_steps=2, baseline="uniform", function="logit")
    expected = attribute(load_checkpoint("snli"), *PAIR, target="neutral", settings=settings)
    loaded = load_attribution(path)
    np.testing.assert_allclose(loaded.attribution, expected.attribution, atol=1e-7)
    assert loaded.settings == settings
    assert loaded.labels[loaded.target] == "neutral"


def test_every_kind_of_output(tmp_path):
    arguments = ["--model", "sst2", "--text", "A small miracle.", "--n-steps", "1"]
    for suffix, start in (("json", b"{"), ("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")):
        assert run(*arguments, "--output", tmp_path / f"out.{suffix}") == 0
        assert (tmp_path / f"out.{suffix}").read_bytes().startswith(start)
    assert run(*arguments, "--output", tmp_path / "out.jsonl") == 0
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    expected = load_attribution(tmp_path / "out.json")
    assert run(*arguments, "--output", tmp_path / "out.zip") == 0
    np.testing.assert_array_equal(load_attribution(tmp_path / "out.zip").attribution, expected.attribution)
    np.testing.assert_array_equal(np.array(lines, np.float32), expected.attribution)
    tokens = json.loads((tmp_path / "out.tokens.json").read_text())[0]
    assert tuple(tokens["tokens"]) == expected.tokens
    attention = [json.loads(line) for line in (tmp_path / "out.attention.jsonl").read_text().splitlines()]
    np.testing.assert_array_equal(np.array(attention, np.float32), expected.attention)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--model", "./nowhere", "--text", "a"], "no checkpoint './nowhere'"),
        (["--model", "sst2", "--text", "  "], "empty"),
        (["--model", "sst2", "--text", "a", "--target", "happy"], "no label 'happy'"),
        (["--model", "sst2", "--text", "a", "--n-steps", "0"], "number of nodes is 0"),
        (["--model", "sst2", "--text", "a", "--tolerance", "2"], "tolerance is 2.0"),
        (["--model", "sst2", "--text", "a", "--head", "2"], "needs --layer"),
        (["--model", "sst2", "--text", "a", "--device", "nonsense"], "device 'nonsense' is unknown"),
        (["--model", "sst2", "--text", "a", "--device", "meta"], "device 'meta' is unknown"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path, capsys, arguments, sentence):
    assert run(*arguments, "--output", tmp_path / "out.png") == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert sentence in error
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--layer", "7"], "no layer 7"),
        (["--layer", "0"], "no layer 0"),
        (["--layer", "1", "--head", "13"], "no head 13"),
    ],
)
def test_a_layer_or_head_that_does_not_exist_is_found_before_work(tmp_path, capsys, monkeypatch, options, sentence):
    monkeypatch.setattr("attattr_core.engine.attributing.Integrator", Mock(side_effect=AssertionError("computes")))
    assert run("--model", "sst2", "--text", "a", *options, "--output", tmp_path / "out.png") == 2
    assert sentence in capsys.readouterr().err


def test_cuda_that_is_not_there_is_one_sentence(tmp_path, capsys):
    if torch.cuda.is_available():
        pytest.skip("there is CUDA here")
    assert run("--model", "sst2", "--text", "a", "--device", "cuda", "--output", tmp_path / "out.npz") == 2
    assert capsys.readouterr().err == "error: There is no device 'cuda' here: choose auto, cpu.\n"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("out.txt", ".txt"),
        ("missing/out.npz", "missing"),
        ("folder.npz", "cannot be written (Is a directory)"),
        ("taken.jsonl", "taken.tokens.json"),
        ("x" * 300 + ".npz", "File name too long"),
    ],
)
def test_an_output_that_cannot_be_written_is_found_before_work(tmp_path, capsys, monkeypatch, name, sentence):
    for folder in ("folder.npz", "taken.tokens.json"):
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(
        "attattr_core.checkpoints.checkpoint.load_checkpoint", Mock(side_effect=AssertionError("loads"))
    )
    assert run("--model", "sst2", "--text", "a", "--output", tmp_path / name) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert not [path for path in tmp_path.iterdir() if path.is_file()], "trying leaves nothing behind"


def test_an_output_that_is_there_survives_a_mistake(tmp_path):
    (tmp_path / "out.npz").write_text("kept")
    assert run("--model", "./nowhere", "--text", "a", "--output", tmp_path / "out.npz") == 2
    assert (tmp_path / "out.npz").read_text() == "kept"


def test_a_card_that_was_full_is_told(tmp_path, capsys, monkeypatch):
    def run_few(*parts):
        if sum(len(start.examples) for start in parts[-1]) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return replay(*parts)

    monkeypatch.setattr(path, "replay", run_few)
    assert run("--model", "sst2", "--text", "a", "--n-steps", "2", "--output", tmp_path / "out.npz") == 0
    assert "The memory of cpu was short, so smaller chunks ran" in capsys.readouterr().err
    assert "smaller chunks ran" in load_attribution(tmp_path / "out.npz").notice


def test_attributing_needs_no_gradio(tmp_path):
    code = (
        "import sys; sys.modules.update(gradio=None, gradio_client=None)\n"
        "from attattr_core.__main__ import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    arguments = ["attribute", "--model", "sst2", "--text", "a", "--n-steps", "1", "--output", str(tmp_path / "out.npz")]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True)
    assert load_attribution(tmp_path / "out.npz").finished.all()


def test_help_needs_no_torch():
    code = (
        "import sys; from attattr_core.__main__ import main\n"
        "try: main(['attribute', '--help'])\n"
        "except SystemExit: print('torch' in sys.modules, 'gradio' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False False"
    options = "model text-pair target rule n-steps tolerance baseline function precision output"
    for option in options.split():
        assert f"--{option}" in done.stdout
