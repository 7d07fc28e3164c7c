"""Turns at the machine: who goes first, what ends a job, and that a stop leaves everything clean."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from threading import Event, Thread
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from gradio_client import Client

from attattr_core import UserError, attribute, load_checkpoint
from attattr_core.engine import replay
from attattr_core.engine.attributing import attribute_layers
from attattr_core.engine.stopping import Stopped, ask, asking
from attattr_core.settings import Settings
from attattr_core.ui import line as line_module
from attattr_core.ui import turns
from attattr_core.ui.limits import PageLimits
from attattr_core.ui.line import Line
from attattr_core.ui.turns import in_turn
from attattr_core.ui.visitors import Visitors

LIMITS = PageLimits()
SLOW = ("predicted", "probability", "zero", "fixed nodes", 0.01, 256, "automatic")
FAST = ("predicted", "probability", "zero", "to a tolerance", 0.01, 64, "automatic")


def wait_until(is_so, seconds: float = 60.0) -> None:
    """Waits for something that another thread does; a machine may be slow."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


class Jobs:
    """Jobs in a line, each in a thread of its own; each notes when it begins to compute."""

    def __init__(self) -> None:
        self.line, self.began, self.threads = Line(), [], []

    def start(self, name: str, user: str = "", *, is_long: bool = False):
        turn = self.line.join(user or name, name, LIMITS, is_long=is_long)
        turn.hold = Event()
        self.threads.append(Thread(target=turn.step, args=(self._work(turn),)))
        self.threads[-1].start()
        wait_until(lambda: turn._asked is not None or turn.since is not None)
        return turn

    def _work(self, turn) -> Iterator[None]:
        ask()
        self.began.append(turn.name)
        turn.hold.wait()
        yield None

    def finish(self, *jobs) -> None:
        for turn in jobs:
            turn.hold.set()
        for thread in self.threads:
            thread.join()


def test_one_job_computes_at_a_time_and_the_first_goes_first():
    jobs = Jobs()
    first, second, third = (jobs.start(name) for name in "abc")
    assert jobs.began == ["a"]
    assert jobs.line.describe_place(third).startswith("Waiting: 2 jobs go first, about ")
    jobs.finish(first, second, third)
    assert jobs.began == ["a", "b", "c"]


def test_a_sentence_goes_before_long_jobs_and_before_another_ones_second_job():
    jobs = Jobs()
    first = jobs.start("first")
    long = jobs.start("long", is_long=True)
    second = jobs.start("second of the same", "first")
    sentence = jobs.start("sentence")
    jobs.finish(first, long, second, sentence)
    assert jobs.began[:2] == ["first", "sentence"]
    assert set(jobs.began[2:]) == {"long", "second of the same"}


def test_nobody_waits_for_ever(monkeypatch):
    monkeypatch.setattr(line_module, "_PATIENCE", 0.05)
    jobs = Jobs()
    first, long = jobs.start("first"), jobs.start("long", is_long=True)
    time.sleep(0.2)  # more than the patience of a long job
    late = jobs.start("late")
    jobs.finish(first, long, late)
    assert jobs.began == ["first", "long", "late"]


def test_a_long_job_lets_others_go_first_between_two_passes(monkeypatch):
    monkeypatch.setattr(line_module, "_SLICE", 0.0)
    line, order, go_on = Line(), [], Event()

    def measure() -> Iterator[None]:
        ask()
        order.append("long")
        go_on.wait()
        ask()
        order.append("long again")
        yield None

    def explain() -> Iterator[None]:
        ask()
        order.append("sentence")
        yield None

    long, short = line.join("a", "long", LIMITS, is_long=True), line.join("b", "short", LIMITS)
    threads = [Thread(target=turn.step, args=(steps,)) for turn, steps in ((long, measure()), (short, explain()))]
    threads[0].start()
    wait_until(lambda: order == ["long"])
    threads[1].start()
    wait_until(lambda: short._asked is not None)
    go_on.set()
    for thread in threads:
        thread.join()
    assert order == ["long", "sentence", "long again"]


def test_only_some_long_jobs_of_a_kind_are_in_their_midst():
    line, began = Line(), Event()
    measuring = [line.join(user, "measure", LIMITS, is_long=True) for user in "abc"]
    for turn in measuring:
        turn.check()
        line.give(turn)
    fourth = line.join("d", "measure", LIMITS, is_long=True)

    def begin() -> Iterator[None]:
        ask()
        began.set()
        yield None

    thread = Thread(target=fourth.step, args=(begin(),))
    thread.start()
    wait_until(lambda: fourth._asked is not None)
    other = line.join("e", "mine", LIMITS, is_long=True)
    other.check()  # of another kind
    line.leave(other)
    line.give(other)
    measuring[0].check()  # goes on, since it has begun
    line.give(measuring[0])
    assert not began.is_set()
    line.leave(measuring[1])
    thread.join()
    assert began.is_set()


def test_a_job_too_many_is_refused_with_the_number():
    line, limits = Line(), PageLimits(max_visitor_jobs=2, max_jobs=3)
    for user in ("a", "a", "b"):
        line.join(user, "job", limits).check()
        line.give(line.list_turns()[-1])
    with pytest.raises(UserError, match="2 of your jobs wait or go on, as many as one visitor may have here: wait"):
        line.join("a", "job", limits).check()
    with pytest.raises(UserError, match="3 jobs wait or go on here, as many as may: try again"):
        line.join("c", "job", limits).check()
    line.leave(line.list_turns()[0])
    line.join("c", "job", limits).check()


def test_a_job_ends_after_its_minutes_and_says_so():
    turn = Line().join("a", "job", PageLimits(max_minutes=2))
    turn.check()
    turn.used = 121.0
    with pytest.raises(UserError, match="computed for 2 minutes, as long as one job may here: what is done stays"):
        turn.check()


def test_a_stop_reaches_those_that_wait_and_those_that_compute():
    jobs = Jobs()
    computing, waiting = jobs.start("computing"), jobs.start("waiting")
    jobs.line.stop("waiting")
    jobs.threads[1].join()
    assert jobs.began == ["computing"]
    jobs.line.stop()
    with pytest.raises(Stopped):
        computing.check()
    computing.hold.set()
    waiting.hold.set()
    jobs.threads[0].join()


def test_a_cancelled_event_ends_its_work_and_closes_it(monkeypatch):
    line, closed = Line(), Event()
    monkeypatch.setattr(turns, "find_line", lambda: line)

    def work() -> Iterator[tuple]:
        try:
            while True:
                ask()
                time.sleep(0.001)
                if False:
                    yield ()
        finally:
            closed.set()

    async def press_stop() -> None:
        event = asyncio.ensure_future(anext(in_turn(work, LIMITS)()))
        while not (line.list_turns() and line.list_turns()[0].since):
            await asyncio.sleep(0.01)
        event.cancel()
        with pytest.raises(asyncio.CancelledError):
            await event

    asyncio.run(press_stop())
    assert closed.wait(60)
    assert line.list_turns() == []


def test_who_waits_is_told_and_then_sees_what_the_handler_says(monkeypatch):
    line = Line()
    monkeypatch.setattr(turns, "find_line", lambda: line)
    monkeypatch.setattr(turns, "_SECONDS_BETWEEN_MESSAGES", 0.05)
    other = line.join("other", "job", LIMITS)
    other.check()

    def work() -> Iterator[tuple]:
        yield "view", "loading", "state"
        ask()
        yield "view", "", "state"

    async def listen() -> list:
        said = []
        async for values in in_turn(work, LIMITS)():
            said.append(values[1])
            if "Waiting: 1 job goes first" in values[1]:
                assert values[0] == values[2] == gr.skip()
                line.leave(other)
                line.give(other)
        return said

    said = asyncio.run(listen())
    assert said[0] == "loading"
    assert any("Waiting: 1 job goes first" in words for words in said)
    assert said[-1] == ""


def test_a_stop_within_a_layer_leaves_the_model_clean():
    """In the midst of one layer's nodes: the model is restored, and gives the same bits again."""
    checkpoint = load_checkpoint("sst2", device="cpu")
    settings = Settings(rule="left", n_steps=32)
    text = "A stop within a layer leaves nothing behind. " * 4
    before = attribute(checkpoint, text, settings=settings)
    n_asked = 0

    def check() -> None:
        nonlocal n_asked
        n_asked += 1
        if n_asked == 7:
            raise Stopped

    results = []
    with asking(check), pytest.raises(Stopped):
        results.extend(attribute_layers(checkpoint, text, settings=settings))
    assert n_asked == 7
    assert not results[-1].finished.all()
    assert checkpoint.model not in replay._INSTRUMENTS
    assert all("forward" not in vars(module) for module in checkpoint.model.modules())
    ask()  # nobody asks any more
    np.testing.assert_array_equal(attribute(checkpoint, text, settings=settings).attribution, before.attribution)


@pytest.mark.parametrize("way", ["stop", "closed tab"])
def test_the_app_frees_the_machine(app_url, way):
    """A layer of this run takes long; the machine is free before it could be done, for somebody else."""
    visitor, other = Client(app_url, verbose=False), Client(app_url, verbose=False)
    line = turns.find_line()
    job = visitor.submit("sst2", "stop " * 500, "", *SLOW, api_name="/page_run")
    wait_until(lambda: any(turn.user == visitor.session_hash and turn.since for turn in line.list_turns()))
    turn = next(turn for turn in line.list_turns() if turn.user == visitor.session_hash)
    if way == "stop":
        job.cancel()
    else:
        visitor.close()
    wait_until(lambda: turn.is_stopped and turn.since is None)
    assert turn not in line.list_turns() or way == "closed tab"
    view, status = other.predict("sst2", "Mine.", "", *FAST, api_name="/page_run")[:2]
    assert '"mine"' in view
    assert status == ""
    wait_until(lambda: not line.list_turns())


@pytest.mark.parametrize("comes_back", [False, True])
def test_what_a_closed_tab_was_shown_is_forgotten_unless_it_comes_back(monkeypatch, comes_back):
    monkeypatch.setattr(turns, "_SECONDS_UNTIL_FORGOTTEN", 0.05)
    visitors = Visitors(10**9)
    with gr.Blocks() as page:
        gr.State("large")
    visitors.set_blocks(page)

    async def close_tab() -> None:
        assert all(visitors[name] for name in ("me", "you"))
        turns.LocalContext.blocks.set(SimpleNamespace(state_holder=visitors))
        await turns.leave_page(SimpleNamespace(session_hash="me"))
        if comes_back:
            assert visitors["me"]
        await asyncio.sleep(0.2)

    asyncio.run(close_tab())
    assert set(visitors.session_data) == ({"me", "you"} if comes_back else {"you"})


def test_memory_is_given_back_now_and_then_and_at_once_after_a_long_job(monkeypatch):
    clock, trims = SimpleNamespace(now=100.0), []
    monkeypatch.setattr(line_module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(line_module, "trim_memory", lambda: trims.append(clock.now))
    line = Line()
    for seconds in (1, 8, 2, 1):
        clock.now += seconds
        line.trim(at_once=False)
    assert trims == [111.0]
    line.trim(at_once=True)
    assert trims == [111.0, 112.0]


def test_a_text_too_long_for_the_server_is_refused_with_the_number():
    limits = replace(LIMITS, max_characters=10, max_tokens=12)
    with pytest.raises(UserError, match="Sentence A is empty: type a sentence"):
        limits.check_texts((" ", "pair"))
    with pytest.raises(UserError, match="Sentence B has 11 characters, and up to 10 are taken here: shorten it"):
        limits.check_texts(("short", "a" * 11))
    with pytest.raises(UserError, match="The text has 13 tokens, and up to 12 are taken here: shorten it"):
        limits.check_tokens(13)
    LIMITS.check_tokens(700)  # which is cut, as everywhere
