"""Whatever strangers can send, drawn by hypothesis: the same draws in every run, and few of them.

ATTATTR_HOSTILE_EXAMPLES is how many each test draws (default 15; 1000 takes an hour). With more, others are drawn as
well. Everything happens in a work folder deep inside a folder of the test's own: whatever appears beside it, or is left
in it, fails the test.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile.calls import Server
from hub.conftest import tiny as tiny
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir
from serving import app_url as app_url
from serving import models as models

import attattr_core.pictures  # noqa: F401 - matplotlib makes its folders where home is when it is imported
from attattr_core import Checkpoint, load_checkpoint

set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "attattr-hypothesis")  # not the working directory
settings.register_profile(
    "hostile",
    max_examples=int(os.environ.get("ATTATTR_HOSTILE_EXAMPLES", "15")),
    derandomize=True,
    database=None,
    deadline=None,  # a busy machine is slow, not wrong
    print_blob=False,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,  # a folder serves all draws of a test: each writes its file anew
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
settings.load_profile("hostile")


@pytest.fixture(autouse=True)
def work(request, tmp_path, monkeypatch) -> Iterator[Path]:
    """The work folder, which is home, working directory and place of temporary files too; at the end it is empty.

    An app that serves many tests has its own place for temporary files (`attattr_core.ui.store`).
    """
    folder = tmp_path / "outside" / "far" / "work"
    folder.mkdir(parents=True)
    (tmp_path / "outside" / "secret.txt").write_text("nobody's business")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    if "app_url" not in request.fixturenames:
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
    before = list_files(tmp_path)
    yield folder
    assert list_files(tmp_path) == before


def list_files(folder: Path) -> dict[str, bytes]:
    """Everything below a folder, with what it holds."""
    paths = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"" for path in paths}


@pytest.fixture(scope="session")
def checkpoint(tiny) -> Checkpoint:
    """A random classifier of two layers, with a word-piece tokenizer."""
    return load_checkpoint(tiny, device="cpu")


@pytest.fixture(scope="module")
def server(app_url):
    """The running app, for calls of any kind."""
    return Server(app_url)
