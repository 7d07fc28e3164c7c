"""What the tests of faults share: the app, a Hub, and a disk that can be filled."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator

import pytest
from faults.visiting import Disk
from hub.conftest import copy as copy
from hub.conftest import home as home
from hub.conftest import hub as hub
from hub.conftest import tiny as tiny
from serving import app_url as app_url
from serving import models as models
from serving import served as served


@pytest.fixture
def disk(tmp_path) -> Iterator[Disk]:
    """A real disk of 16 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount or "", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a disk of the test's own takes the right to mount one")
    yield Disk(folder)
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def app_on_disk(disk, monkeypatch) -> Iterator[str]:
    """The app, whose uploads and unfinished work lie on that disk."""
    from app import launch
    from attattr_core.ui import Models, build_app
    from attattr_core.ui.store import find_store

    find_store().clear()
    for name in ("gradio", "temporary"):
        (disk.folder / name).mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(disk.folder / "gradio"))
    monkeypatch.setattr(tempfile, "tempdir", str(disk.folder / "temporary"))
    app = build_app(Models(folders=True))
    _, url, _ = launch(app, server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
    yield url
    app.close(verbose=False)
    find_store().clear()
