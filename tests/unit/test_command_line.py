"""The command line: what it writes is what Python gives, and mistakes are one sentence."""

import json
import subprocess
import sys

import numpy as np
import pytest

from attattr_core import Settings, attribute, load_attribution, load_checkpoint
from attattr_core.__main__ import main

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
    np.testing.assert_array_equal(np.array(lines, np.float32), expected.attribution)
    tokens = json.loads((tmp_path / "out.tokens.json").read_text())[0]
    assert tuple(tokens["tokens"]) == expected.tokens
    attention = [json.loads(line) for line in (tmp_path / "out.attention.jsonl").read_text().splitlines()]
    np.testing.assert_array_equal(np.array(attention, np.float32), expected.attention)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--model", "nowhere", "--text", "a"], "no checkpoint 'nowhere'"),
        (["--model", "sst2", "--text", "  "], "empty"),
        (["--model", "sst2", "--text", "a", "--target", "happy"], "no label 'happy'"),
        (["--model", "sst2", "--text", "a", "--n-steps", "0"], "number of nodes is 0"),
        (["--model", "sst2", "--text", "a", "--tolerance", "2"], "tolerance is 2.0"),
        (["--model", "sst2", "--text", "a", "--head", "2"], "needs --layer"),
        (["--model", "sst2", "--text", "a", "--layer", "7"], "no layer 7"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path, capsys, arguments, sentence):
    assert run(*arguments, "--output", tmp_path / "out.png") == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert sentence in error
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("name", ["out.txt", "missing/out.npz"])
def test_an_output_that_cannot_be_written_is_found_before_work(tmp_path, capsys, name):
    assert run("--model", "sst2", "--text", "a", "--output", tmp_path / name) == 2
    assert name.split("/")[0].removeprefix("out") in capsys.readouterr().err


def test_help_needs_no_torch():
    code = (
        "import sys; from attattr_core.__main__ import main\n"
        "try: main(['attribute', '--help'])\n"
        "except SystemExit: print('torch' in sys.modules, 'gradio' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False False"
    for option in ("--model", "--text-pair", "--target", "--rule", "--n-steps", "--tolerance", "--baseline", "--function"):
        assert option in done.stdout
