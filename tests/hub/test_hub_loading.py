"""What is loaded from the Hub is what is loaded from disk; the command line takes the same names."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hub.editing import edit
from huggingface_hub import constants

from attattr_core import Settings, attribute, load_attribution, load_checkpoint
from attattr_core.__main__ import main
from attattr_core.checkpoints.catalog import EMBEDDED_FOLDER
from attattr_core.cli.progress import showing_download
from attattr_core.hub import Progress

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("name", "texts"),
    [("sst2", ("A small miracle.",)), ("snli", ("Two dogs are asleep.", "The dogs are running."))],
)
def test_embedded_checkpoints_give_the_same_from_the_hub_and_from_disk(hub, tmp_path, name, texts):
    for embedded in ("sst2", "snli"):
        shutil.copytree(EMBEDDED_FOLDER / embedded, tmp_path / "served" / embedded)
        hub.add(f"org/{embedded}", tmp_path / "served" / embedded)
    edit(tmp_path / "served" / "snli" / "adapter_config.json", base_model_name_or_path="org/sst2")
    hub.models["org/snli"].folders.clear()
    hub.add("org/snli", tmp_path / "served" / "snli")
    settings = Settings(n_steps=2)
    here, there = (
        attribute(load_checkpoint(place, device="cpu"), *texts, settings=settings) for place in (name, f"org/{name}")
    )
    assert here.labels == there.labels
    np.testing.assert_array_equal(here.attribution, there.attribution)
    np.testing.assert_array_equal(here.attention, there.attention)


def test_the_command_line_takes_hub_ids_and_goes_on_after_ctrl_c(hub, tiny, home, capsys):
    hub.add("org/tiny", tiny, pause=1)
    output = home / "out.npz"
    arguments = ["attribute", "--model", "org/tiny@main", "--text", "the film", "--n-steps", "1"]
    arguments += ["--output", str(output)]
    settings = {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": constants.HF_HUB_CACHE, "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, "-m", "attattr_core", *arguments]
    first = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **settings}, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not any(path.stat().st_size > 100_000 for path in home.rglob("*.incomplete")):
        assert first.poll() is None, first.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    first.send_signal(signal.SIGINT)
    _, error = first.communicate(timeout=20)
    assert first.returncode == 2
    assert error.startswith("error: The download was stopped after 0.")
    assert error.endswith(" MB: the same command goes on from there.\n")
    assert not output.exists()

    hub.models["org/tiny"].pause = 0
    hub.requests.clear()
    assert main(arguments) == 0
    assert any("range" in headers for _, _, headers in hub.requests)
    assert "download" not in capsys.readouterr().err, "the bar is for terminals"
    assert load_attribution(output).labels == ("no", "yes")


def test_the_bar_counts_bytes_on_a_terminal(capsys, monkeypatch):
    for is_terminal in (False, True):
        monkeypatch.setattr("sys.stderr.isatty", lambda answer=is_terminal: answer)
        with showing_download() as on_progress:
            for n_bytes in (0, 400_000, 2_000_000):
                on_progress(Progress(n_bytes, 2_000_000))
        assert ("400k/2.00M" in capsys.readouterr().err) == is_terminal


def test_a_mistake_on_the_command_line_is_one_sentence(hub, home, capsys):
    assert main(["attribute", "--model", "org/none", "--text", "a", "--output", str(home / "out.npz")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: There is no model 'org/none' on the Hub")
    assert error.count("\n") == 1


def test_fine_tuning_starts_from_a_hub_id(hub, copy, home):
    hub.add("org/encoder", copy(architectures=["BertModel"]))
    rows = "\n".join(f"the film is {word}\t{word}" for word in ("good", "bad") * 8)
    (home / "train.tsv").write_text("sentence\tlabel\n" + rows + "\n")
    arguments = ["finetune", "--base", "org/encoder", "--data", str(home / "train.tsv"), "--output", str(home / "out")]
    arguments += ["--method", "lora", "--epochs", "1", "--eval", f"same={home / 'train.tsv'}"]
    assert main(arguments) == 0
    assert load_checkpoint(home / "out", device="cpu").labels == ("bad", "good")
