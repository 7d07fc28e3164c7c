"""The commands with ``--engine ray``: what they write, what they refuse, and Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from attattr_core.__main__ import main
from attattr_core.cluster import ray_workers

REPOSITORY = Path(__file__).resolve().parents[2]
HEADS = ["heads", "--model", "sst2", "--n-examples", "30", "--rule", "left", "--n-steps", "2"]
COMMANDS = {
    "heads": ("heads", "--model", "sst2"),
    "prune": ("prune", "--model", "sst2", "--importance", "importance.json"),
    "faithfulness": ("faithfulness", "--model", "sst2"),
    "mine-triggers": ("mine-triggers", "--model", "sst2", "--data", "sst2"),
    "evaluate-triggers": ("evaluate-triggers", "--model", "sst2", "--data", "sst2", "--triggers", "list.json"),
}


def start(output: Path, *options: str) -> subprocess.Popen:
    """Starts the command in a process group of its own, as a terminal does."""
    command = [sys.executable, "-m", "attattr_core", *HEADS, "--output", str(output), *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment = {name: value for name, value in environment.items() if not name.startswith("RAY_")}
    return subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stderr=subprocess.PIPE, text=True, process_group=0
    )


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: it has no wheel for this Python")
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="two workers need two processors")
def test_a_job_is_stopped_and_goes_on_to_the_same_file(tmp_path):
    stopped, here = tmp_path / "stopped.json", tmp_path / "here.json"
    process = start(stopped, "--engine", "ray", "--num-workers", "2")
    text = ""
    while "/30 [" not in text:  # the bar shows the first examples
        letter = process.stderr.read(1)
        assert letter, text
        text += letter
    os.killpg(process.pid, signal.SIGINT)
    text += process.communicate(timeout=60)[1]
    assert process.returncode == 2, text
    assert "Ray: 2 workers of 1 processor" in text
    assert "--resume goes on from there" in text
    assert "Traceback" not in text
    assert stopped.with_name("stopped.json.partial").exists()
    assert start(here).wait(timeout=60) == 0
    assert start(stopped, "--engine", "ray", "--num-workers", "2", "--resume").wait(timeout=60) == 0
    assert json.loads(stopped.read_text()) == json.loads(here.read_text())
    assert not stopped.with_name("stopped.json.partial").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_options_that_do_not_go_together(command, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def refuse(*options):
        assert main([*COMMANDS[command], "--output", "output.json", *options]) == 2
        return capsys.readouterr().err

    assert "--address and --num-workers belong to --engine ray" in refuse("--address", "auto", "--num-workers", "2")
    monkeypatch.setattr(ray_workers, "find_spec", lambda name: None)
    assert 'pip install "ray>=2.40,<3"' in refuse("--engine", "ray")
    assert "--device belongs to --engine local" in refuse("--engine", "ray", "--device", "cpu")
    monkeypatch.setattr(ray_workers, "find_spec", find_spec)
    if find_spec("ray"):
        assert "The GPUs of a worker are 3: choose" in refuse("--engine", "ray", "--num-gpus-per-worker", "3")
    assert not list(tmp_path.iterdir())
