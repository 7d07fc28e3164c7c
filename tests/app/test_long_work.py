"""Downloads of visitors: two at a time, and whoever waits can stop."""

from contextlib import closing
from types import SimpleNamespace

from attattr_core.hub import Progress
from attattr_core.ui import long_work


def test_a_third_download_waits_for_a_place(monkeypatch):
    monkeypatch.setattr(long_work, "_SECONDS_BETWEEN_MESSAGES", 0)
    monkeypatch.setattr(long_work, "_SECONDS_BETWEEN_LOOKS", 0.01)
    monkeypatch.setattr(long_work, "download", lambda what: iter([Progress(0, 30), Progress(20, 30), Progress(30, 30)]))
    what = SimpleNamespace(name="org/model", base=None, files=(SimpleNamespace(n_bytes=30),), folder=None)
    first, second, third, fourth = (long_work.follow_download(what) for _ in range(4))
    with closing(first), closing(second), closing(third), closing(fourth):
        assert [next(steps)[0].n_bytes for steps in (first, second)] == [0, 0]
        assert [next(third) for _ in range(2)] == [(Progress(0, 30), 0.0)] * 2
        assert next(fourth) == (Progress(0, 30), 0.0)
        fourth.close()  # is stopped while it waits
        assert [progress.n_bytes for progress, _ in first] == [20, 30]
        assert [progress.n_bytes for progress, _ in third] == [0, 20, 30]
    assert [long_work._PLACES.acquire(blocking=False) for _ in range(3)] == [True, True, False]
    long_work._PLACES.release(2)
