"""The time of day jumps by days while jobs wait, files are kept and progress is estimated: none of it goes by that."""

import json
import logging
import re
import time
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace

import httpx
import pytest
from faults.visiting import ROWS, run, visit, wait_until
from hub.parquet_files import SENTENCES

from attattr_core.ui.heads_payload import show_shipped
from attattr_core.ui.triggers_payload import Shown
from attattr_core.ui.visitors import Visitors

DAYS = 3 * 24 * 3600


class _Shifted(datetime):
    """The time of day as Gradio asks for it."""

    offset = 0.0

    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + timedelta(seconds=cls.offset)


@pytest.fixture
def jump(monkeypatch):
    """Sets the time of day so many seconds off, for everything in this process."""
    own = time.time
    monkeypatch.setattr(time, "time", lambda: own() + _Shifted.offset)
    monkeypatch.setattr("gradio.route_utils.datetime", _Shifted)
    monkeypatch.setattr("gradio.state_holder.datetime", SimpleNamespace(datetime=_Shifted))

    def set_clock(seconds: float) -> None:
        _Shifted.offset = seconds

    yield set_clock
    _Shifted.offset = 0.0


@pytest.fixture
def tidied(monkeypatch):
    """Waits until Gradio has looked twice for what is too old, as it does every second."""
    own, n_looks = Visitors.delete_all_expired_state, 0

    def look(visitors):
        nonlocal n_looks
        own(visitors)
        n_looks += 1

    monkeypatch.setattr(Visitors, "delete_all_expired_state", look)

    def wait() -> None:
        before = n_looks
        wait_until(lambda: n_looks > before + 1)

    return wait


def upload(url: str, text: str) -> str:
    (path,) = httpx.post(f"{url}gradio_api/upload", files={"files": ("mine.tsv", text.encode())}).json()
    return path


@pytest.mark.parametrize("seconds", [DAYS, -DAYS])
def test_what_a_visitor_uses_stays(app_url, jump, tidied, seconds):
    client = visit(app_url)
    assert run(client, "sst2")[0]["status"] == "done"
    text = "sentence\tlabel\n" + "".join(f"{words}\t{row % 2}\n" for row, words in enumerate(SENTENCES))
    path = upload(app_url, text)
    jump(seconds)
    tidied()
    assert httpx.get(f"{app_url}gradio_api/file={path}").text == text
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    asked = {"file": file, "method": "attention", "api_name": "/head_importance"}
    assert client.predict("sst2", **asked)["status"] == "done"
    assert run(client, "sst2")[0]["status"] == "done"


@pytest.mark.parametrize("seconds", [DAYS, -DAYS])
def test_what_a_visitor_has_chosen_stays(jump, seconds):
    import gradio as gr

    with gr.Blocks() as page:
        state = gr.State("the first one")
    visitors = Visitors(10**9)
    visitors.set_blocks(page)
    visitors["me"][state._id] = "mine"
    jump(seconds)
    visitors.delete_all_expired_state()
    assert visitors["me"][state._id] == "mine"
    left = time.monotonic()
    jump(-seconds)
    assert visitors["me"], "the tab is back"
    visitors.forget("me", left)
    assert "me" in visitors
    visitors.forget("me", time.monotonic())
    assert "me" not in visitors


@pytest.mark.parametrize("seconds", [DAYS, -DAYS])
def test_old_files_go_when_their_time_has_come(jump, seconds):
    from app import launch
    from attattr_core.ui import build_app

    app = build_app()
    _, url, _ = launch(app, seconds_kept=1, server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
    try:
        path = upload(url, "short-lived")
        jump(seconds)
        wait_until(lambda: not Path(path).parent.exists())
    finally:
        app.close(verbose=False)


def test_jobs_wait_and_go_on_while_it_jumps_to_and_fro(app_url, jump, caplog):
    caplog.set_level(logging.INFO, "attattr_core.jobs")
    clients, done = [visit(app_url) for _ in range(3)], Event()

    def shake():
        while not done.wait(0.02):
            jump(DAYS)
            jump(-DAYS)

    shaker = Thread(target=shake)
    shaker.start()
    try:
        asked = {"data": ROWS, "method": "taylor", "api_name": "/head_importance"}
        jobs = [client.submit("sst2", **asked) for client in clients]
        for job in jobs:
            assert job.result(timeout=300)["status"] == "done"
            counts = [answer["n_done"] for answer in job.outputs() if "n_done" in answer]
            assert counts == sorted(counts)
            for answer in job.outputs():
                for wait in re.findall(r"about (-?\d+) s", answer.get("notice", "")):
                    assert 0 <= int(wait) < 600
    finally:
        done.set()
        shaker.join()
    lines = [message for message in caplog.messages if message.startswith("head importance")]
    assert lines
    for line in lines:
        assert 0 <= float(re.search(r", (-?[\d.]+) s, done$", line)[1]) < 600
    up = httpx.get(f"{app_url}healthz").json()["uptime_seconds"]
    assert 0 < up < 24 * 3600


def test_the_later_message_is_the_later_one(jump):
    """The page leaves out what is older than what it shows: set back, it would show nothing any more."""
    for shown in (show_shipped("sst2@", "sst2"), Shown("run", "idle")):
        jump(0)
        before = json.loads(shown.build_message())["moment"]
        jump(-DAYS)
        assert json.loads(shown.build_message())["moment"] > before
