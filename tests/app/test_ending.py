"""The end of a real server, ``python app.py``: jobs stop, files go, and the exit code is 0."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from serving import answers

REPOSITORY = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")


@pytest.fixture
def server(tmp_path):
    """The process and its address; all files that it makes lie in an empty folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    made = tmp_path / "made"
    made.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ATTATTR_", "GRADIO_"))}
    environment |= {"TMPDIR": str(made), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "app.py", "--port", str(port), "--offline"],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    url = f"http://127.0.0.1:{port}/"
    try:
        _wait(lambda: answers(url))
        yield process, url, made
    finally:
        process.kill()
        process.communicate()


def _wait(is_so, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def list_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_sigterm_stops_a_job_and_deletes_what_visitors_left(server, tmp_path):
    process, url, made = server
    path = tmp_path / "umbrella.tsv"
    rows = (f"The umbrella, number {number}.\t{number % 2}\n" for number in range(2000))
    path.write_text("sentence\tlabel\n" + "".join(rows), encoding="utf-8")
    job = Client(url, verbose=False).submit(
        "sst2", file=handle_file(str(path)), n_examples=2000, api_name="/head_importance"
    )
    _wait(lambda: any(answer["n_done"] for answer in job.outputs()))
    assert {"umbrella.tsv"} < {path.name for path in list_files(made)}, "the upload, and unfinished work"
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=60)
    assert process.returncode == 0, log
    assert "INFO attattr_core.jobs: head importance, sst2, 2000 rows, " in log
    assert log.count("stopped\n") == 1
    assert "umbrella" not in log
    assert "Traceback" not in log
    assert list_files(made) == []
    assert not list(made.glob("attattr-files-*"))


def test_ctrl_c_ends_an_idle_server(server):
    process, _, made = server
    process.send_signal(signal.SIGINT)
    _, log = process.communicate(timeout=60)
    assert process.returncode == 0, log
    assert "Traceback" not in log
    assert list_files(made) == []
