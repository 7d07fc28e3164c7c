"""The process that reads a parquet file is killed in the midst; Ray's workers are killed in tests/cluster."""

import os
import signal
import sys
from pathlib import Path
from threading import Event, Thread

import pytest
from faults.visiting import run, visit, wait_until
from gradio_client import handle_file
from gradio_client.exceptions import AppError
from hub.parquet_files import save_sentiment

from attattr_core.datasets import parquet

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")


def find_workers() -> list[int]:
    """The readers that are children of this process."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if parent == os.getpid() and "parquet_worker.py" in (folder / "cmdline").read_text():
                found.append(int(folder.name))
        except (OSError, IndexError):
            continue
    return found


@pytest.fixture
def midst(monkeypatch):
    """Holds the reading where the columns are known and rows are to come, until the test says so."""
    reached, go_on = Event(), Event()
    own = parquet._Worker.tell

    def tell(worker, value):
        if isinstance(value, list):
            reached.set()
            go_on.wait(120)
        own(worker, value)

    monkeypatch.setattr(parquet._Worker, "tell", tell)
    yield reached, go_on
    go_on.set()


def test_a_reader_that_is_killed_is_one_sentence(app_url, tmp_path, midst):
    client, other = visit(app_url), visit(app_url)
    reached, go_on = midst
    path = save_sentiment(tmp_path / "mine.parquet", n=3000)
    asked = {"file": handle_file(str(path)), "method": "attention", "n_examples": 4, "api_name": "/head_importance"}

    def kill():
        assert reached.wait(120)
        for worker in find_workers():
            os.kill(worker, signal.SIGKILL)
        wait_until(lambda: all(_is_dead(worker) for worker in find_workers()))
        go_on.set()

    killer = Thread(target=kill)
    killer.start()
    with pytest.raises(AppError, match=r"mine.parquet cannot be read as parquet \(it is damaged, or needs more memory"):
        client.predict("sst2", **asked)
    killer.join()
    wait_until(lambda: find_workers() == [])
    assert run(other, "sst2")[0]["status"] == "done"
    assert client.predict("sst2", **asked)["status"] == "done"


def _is_dead(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True
