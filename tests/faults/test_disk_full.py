"""The disk is full wherever something is written: downloads, uploads, work that goes on, results."""

import json
import re
import subprocess
import sys
from threading import Thread

import httpx
import pytest
from faults.visiting import REPOSITORY, ROWS, list_files, load, run, visit, wait_until
from gradio_client import handle_file
from gradio_client.exceptions import AppError

from attattr_core.__main__ import main
from attattr_core.hub import describe, find_snapshot, parse_reference
from attattr_core.ui.heads_smaller import save_smaller_model
from attattr_core.ui.models import Models

WEIGHTS = "model.safetensors"
FULL = "No space left on device"
SERVER = rf"The server cannot write the files that this needs \({FULL}\): try again later"
TEXT = "A warm and funny film, and not a dull moment in it."


# ------------------------------------------------------------------------------------------------------- downloads


@pytest.fixture
def cache(disk, monkeypatch):
    """The Hub's cache, on the small disk."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(disk.folder / "cache"))
    return disk.folder / "cache"


def check_loaded(client, tiny):
    assert "in the cache" in load(client, "org/tiny")["size"]
    folder = find_snapshot(describe(parse_reference("org/tiny")))
    assert (folder / WEIGHTS).read_bytes() == (tiny / WEIGHTS).read_bytes()
    assert run(client, "org/tiny")[0]["status"] == "done"


def test_a_download_that_does_not_fit_is_refused_before_it_begins(app_url, served, tiny, cache, disk):
    client = visit(app_url)
    served.add("org/tiny", tiny)
    disk.fill(leave=100_000)
    with pytest.raises(AppError, match=r"'org/tiny' needs 0\.\d MB, but '.*disk' has 0\.1 MB free: make room"):
        load(client, "org/tiny")
    assert list_files(disk.folder) == ["filler"]
    assert run(client, "sst2")[0]["status"] == "done"
    disk.empty()
    check_loaded(client, tiny)


def test_a_disk_that_is_full_in_the_midst_of_a_download(app_url, served, tiny, cache, disk):
    client = visit(app_url)
    model = served.add("org/tiny", tiny, pause=0.3)

    def fill():
        wait_until(lambda: list(cache.rglob("blobs/*.incomplete")))
        disk.fill()

    filler = Thread(target=fill)
    filler.start()
    with pytest.raises(AppError, match=rf"'org/tiny' cannot be kept in '.*cache' \({FULL}\): make room there, or set"):
        load(client, "org/tiny")
    filler.join()
    assert list(cache.rglob("snapshots/*/model.safetensors")) == []
    assert [path for path in cache.rglob("*") if path.name.startswith(".") and path.is_file()] == []
    assert run(client, "sst2")[0]["status"] == "done"
    disk.empty()
    model.pause = 0
    check_loaded(client, tiny)


# ------------------------------------------------------------------------------------------- uploads, and work on them


def test_an_upload_that_does_not_fit(app_on_disk, disk, tmp_path):
    content = b"sentence\tlabel\n" + b"A fine film.\t1\n" * 20_000

    def upload():
        return httpx.post(f"{app_on_disk}gradio_api/upload", files={"files": ("mine.tsv", content)}, timeout=120)

    disk.fill(leave=len(content) // 2)
    refused = upload()
    assert refused.status_code == 507
    assert refused.text.startswith(f"The server cannot write the files that this needs ({FULL}): try again later")
    assert list_files(disk.folder / "gradio") == []
    disk.empty()
    (path,) = upload().json()
    assert len(list_files(disk.folder / "gradio")) == 1
    assert httpx.get(f"{app_on_disk}gradio_api/file={path}").content == content
    (tmp_path / "mine.tsv").write_text(
        "sentence\tlabel\n" + "".join(f"A fine film {row}.\t{row % 2}\n" for row in range(8))
    )
    asked = {"file": handle_file(str(tmp_path / "mine.tsv")), "method": "attention", "api_name": "/head_importance"}
    assert visit(app_on_disk).predict("sst2", **asked)["status"] == "done"


@pytest.mark.parametrize("endpoint", ["head_importance", "mine_triggers"])
def test_work_whose_progress_cannot_be_kept(app_on_disk, disk, endpoint):
    client = visit(app_on_disk)
    asked = {"data": ROWS, "api_name": f"/{endpoint}"}
    disk.fill()
    with pytest.raises(AppError, match=SERVER) as caught:
        client.predict("sst2", **asked)
    assert str(disk.folder) not in str(caught.value), "no visitor has to know where"
    assert [name for name in list_files(disk.folder) if name != "filler" and not name.endswith("mine.tsv")] == []
    assert run(client, "sst2")[0]["status"] == "done"
    disk.empty()
    assert client.predict("sst2", **asked)["status"] == "done"


def test_a_smaller_model_that_does_not_fit(app_on_disk, disk):
    from attattr_core.ui.data_choice import DataChoice
    from attattr_core.ui.heads_payload import Shelf, show_shipped
    from attattr_core.ui.long_work import Desk

    models, data = Models(), DataChoice("embedded", "sst2")
    choice = models.find("sst2")
    shelf = Shelf(show_shipped(choice.key, "sst2"))
    asked = {"run": shelf.shown.run, "method": "attattr", "direction": "least-first", "n": 20}

    def save():
        *_, last = save_smaller_model(models, "sst2", data, choice, None, shelf, Desk(), asked)
        return last

    # the folder takes twice the disk, so what is written first fails
    _, status, shelf_after, file = save()
    assert re.search(rf"cannot write the files that this needs \(.*{FULL}.*\): try again", json.loads(status)["text"])
    assert file == {"__type__": "update"}
    assert shelf_after.shown.status == "precomputed", "what was shown stays"
    assert list_files(disk.folder) == []


# ---------------------------------------------------------------------------------------------------- the command line


COMMANDS = {
    "result.npz": ["attribute", "--model", "sst2", "--text", TEXT],
    "result.json": ["attribute", "--model", "sst2", "--text", TEXT],
    "bundle.zip": ["attribute", "--model", "sst2", "--text", TEXT],
    "picture.png": ["attribute", "--model", "sst2", "--text", TEXT],
    "importance.json": ["heads", "--model", "sst2", "--method", "attention", "--n-examples", "8"],
    "triggers.json": ["mine-triggers", "--model", "sst2", "--data", "sst2", "--n-examples", "2"],
    "study.json": ["faithfulness", "--model", "sst2", "--n-examples", "1"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_whose_output_does_not_fit(disk, capsys, name):
    output = disk.folder / name
    output.write_text("what was there before")
    command = [*COMMANDS[name], "--output", str(output)]
    disk.fill()
    assert main(command) == 2
    *_, sentence = capsys.readouterr().err.strip().splitlines()
    assert sentence.startswith("error: '")
    assert sentence.endswith(f"cannot be written ({FULL}): choose another file.")
    assert output.read_text() == "what was there before"
    assert list_files(disk.folder) == sorted(["filler", name])
    disk.empty()
    assert main(command) == 0
    assert list_files(disk.folder) == [name]
    assert output.stat().st_size > 500


def test_a_job_that_was_refused_goes_on_with_what_it_had(disk, capsys):
    output = disk.folder / "importance.json"
    command = ["heads", "--model", "sst2", "--method", "taylor", "--n-examples", "24", "--output", str(output)]
    wanted = disk.folder / "wanted.json"
    assert main([*command[:-1], str(wanted)]) == 0
    capsys.readouterr()
    filled = []

    def fill(path):
        if path.name.endswith(".partial") and not filled:
            filled.append(True)
        elif filled:
            disk.fill()

    with _watching(fill):
        assert main(command) == 2
    assert f"cannot be written ({FULL})" in capsys.readouterr().err
    partial = disk.folder / "importance.json.partial"
    before = json.loads(partial.read_text())
    assert before["key"], "what was written before is whole"
    disk.empty()
    assert main([*command, "--resume"]) == 0
    assert json.loads(output.read_text())["head_importance"] == json.loads(wanted.read_text())["head_importance"]
    assert not partial.exists()


def _watching(look):
    """Looks at each file before it is written."""
    from contextlib import contextmanager

    from attattr_core.files import work_files

    @contextmanager
    def watch():
        own = work_files.replacing

        def replacing(path):
            look(path)
            return own(path)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(work_files, "replacing", replacing)
            patch.setattr(work_files, "_REST", 0)
            yield

    return watch()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_files_that_may_not_grow_further(tmp_path):
    """The same where no disk can be mounted: the system ends a file after 20 kB."""
    output = tmp_path / "result.json"
    output.write_text("what was there before")
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); "
        "from attattr_core.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", script, *COMMANDS["result.json"], "--output", str(output)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2
    assert done.stderr.strip().endswith("result.json' cannot be written (File too large): choose another file.")
    assert output.read_text() == "what was there before"
    assert list_files(tmp_path) == ["result.json"]
