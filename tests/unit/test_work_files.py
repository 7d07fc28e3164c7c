"""What a long job has done, as a file beside it."""

import json

import pytest

from attattr_core.errors import UserError
from attattr_core.files import work_files
from attattr_core.files.work_files import WorkFile


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when the test says so; every writing takes half a second."""

    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    clock = Clock()
    replacing = work_files.replacing

    def write_slowly(path):
        clock.now += 0.5
        return replacing(path)

    monkeypatch.setattr(work_files, "time", clock)
    monkeypatch.setattr(work_files, "replacing", write_slowly)
    return clock


def read(path):
    return json.loads(path.read_text())["done"]


def test_writing_takes_a_small_share_of_the_time_and_nothing_is_left_out(tmp_path, clock):
    path = tmp_path / "work"
    work = WorkFile(path, "counts", {"model": "a"})
    work.save(lambda: {"done": 1})
    assert read(path) == 1
    for passed, done in ((1, 2), (8.9, 3)):
        clock.now += passed
        work.save(lambda done=done: {"done": done})
        assert read(path) == 1, "it was just written"
    work.flush()
    assert read(path) == 3
    clock.now += 10.1
    work.save(lambda: {"done": 4})
    assert read(path) == 4
    path.unlink()
    work.flush()
    assert not path.exists(), "nothing waits"


def test_a_file_of_another_job_or_none_is_refused(tmp_path):
    path, found = tmp_path / "work", []
    WorkFile(path, "counts", {"model": "a"}).load(found.append)
    WorkFile(path, "counts", {"model": "a"}).save(lambda: {"done": 1})
    WorkFile(path, "counts", {"model": "a"}).load(lambda content: found.append(content["done"]))
    assert found == [1]
    with pytest.raises(UserError, match=r"'work' keeps other work than this \(model: a, not b\)"):
        WorkFile(path, "counts", {"model": "b"}).load(found.append)
    with pytest.raises(UserError, match="'work' keeps no work of this program, or it is damaged"):
        WorkFile(path, "other", {"model": "a"}).load(found.append)
    with pytest.raises(UserError, match="'work' keeps no work of this program, or it is damaged"):
        WorkFile(path, "counts", {"model": "a"}).load(lambda content: content["nothing"])


def test_without_a_path_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    work = WorkFile(None, "counts", {})
    work.load(lambda content: pytest.fail("there is nothing"))
    work.save(lambda: pytest.fail("nobody asked"))
    work.flush()
    assert not list(tmp_path.iterdir())
