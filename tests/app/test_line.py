"""Places in the line: long jobs among each other, a visitor's many jobs, and programs that have no session."""

import asyncio
import logging
from threading import Event
from types import SimpleNamespace

import gradio as gr
import httpx
import pytest
from gradio.context import LocalContext
from gradio_client import Client

from attattr_core import UserError
from attattr_core.engine.stopping import ask
from attattr_core.ui import line as line_module
from attattr_core.ui import turns
from attattr_core.ui.limits import PageLimits
from attattr_core.ui.line import Line
from tests.app.test_turns import LIMITS, Jobs, wait_until


def test_only_some_long_jobs_are_in_their_midst_at_all(monkeypatch):
    monkeypatch.setattr(line_module, "_MOST_BEGUN", 1)
    jobs = Jobs()
    one = jobs.line.join("a", "measure", LIMITS, is_long=True)
    one.check()
    jobs.line.give(one)
    other, sentence = jobs.start("mine", is_long=True), jobs.start("sentence")
    sentence.hold.set()
    jobs.threads[1].join()
    assert jobs.began == ["sentence"]
    jobs.line.leave(one)
    jobs.finish(other)
    assert jobs.began == ["sentence", "mine"]


def test_a_long_job_keeps_its_place_between_two_steps_until_its_slice_is_used(monkeypatch):
    monkeypatch.setattr(line_module, "_SLICE", 60.0)
    line = Line()
    first, second = (line.join(user, "measure", LIMITS, is_long=True) for user in "ab")
    for turn in (first, second):
        turn.check()
        line.give(turn)
    assert first.find_place() < second.find_place(), "its step has ended, its slice has not"
    monkeypatch.setattr(line_module, "_SLICE", 0.0)
    first.check()
    line.give(first)
    assert first.find_place() > second.find_place()


def test_a_visitors_job_counts_as_later_only_while_the_earlier_ones_are_there():
    line = Line()
    first, second, third = (line.join("a", "measure", LIMITS, is_long=True) for _ in range(3))
    other = line.join("b", "measure", LIMITS, is_long=True)
    assert first.find_place() < other.find_place() < second.find_place() < third.find_place()
    line.leave(first)
    assert second.find_place() < other.find_place() < third.find_place()
    line.leave(second)
    assert third.find_place() < other.find_place()


def test_short_jobs_that_became_long_count_among_those_in_their_midst(monkeypatch):
    monkeypatch.setattr(line_module, "_MOST_BEGUN", 1)
    monkeypatch.setattr(line_module, "_SHORT", 0.0)
    line = Line()
    short = line.join("a", "attribute", LIMITS)
    short.check()
    line.give(short)
    long = line.join("b", "mine", LIMITS, is_long=True)
    assert line.describe_place(long).startswith("Waiting: 1 long jobs go on, as many as may at a time, and 0 more go")
    line.leave(short)
    assert line.describe_place(long) == "Waiting: 0 jobs go first, about 0 s."


def test_who_waits_for_others_of_the_kind_reads_so():
    line = Line()
    for user in "abc":
        turn = line.join(user, "mine", LIMITS, is_long=True)
        turn.check()
        line.give(turn)
    waiting = [line.join(user, "mine", LIMITS, is_long=True) for user in "de"]
    for turn in waiting:
        turn._asked = 0.0
    said = [line.describe_place(turn) for turn in waiting]
    assert said == [
        f"Waiting: 3 long jobs of this kind go on, as many as may at a time, and {n} more go first." for n in range(2)
    ]


@pytest.fixture
def line(monkeypatch):
    line = Line()
    monkeypatch.setattr(turns, "find_line", lambda: line)
    return line


def ask_as(session, event_id, host, handler, limits=LIMITS):
    """Runs an event's handler to its end, as somebody."""

    async def follow():
        request = SimpleNamespace(session_hash=session, client=SimpleNamespace(host=host))
        tokens = [LocalContext.request.set(request), LocalContext.event_id.set(event_id)]
        try:
            return [step async for step in turns.in_turn(handler, limits, n_outputs=1, status=0)()]
        finally:
            LocalContext.request.reset(tokens[0])
            LocalContext.event_id.reset(tokens[1])

    return asyncio.run(follow())


def test_calls_without_a_session_share_what_their_address_may(line):
    limits, users = PageLimits(max_visitor_jobs=1), []

    def look():
        users.extend(turn.user for turn in line.list_turns())
        yield "done"

    assert ask_as("tab", "an event", "10.0.0.1", look, limits) == ["done"]
    assert ask_as("call", "call", "10.0.0.1", look, limits) == ["done"]
    assert users == ["tab", "address 10.0.0.1"]
    waiting = [line.join("address 10.0.0.1", "look", limits, n_allowed=4) for _ in range(4)]

    def compute():
        ask()
        yield "computed"

    with pytest.raises(UserError, match="4 of your jobs wait or go on"):
        ask_as("other call", "other call", "10.0.0.1", compute, limits)
    for turn in waiting:
        line.leave(turn)
    assert ask_as("other call", "other call", "10.0.0.1", compute, limits) == ["computed"]


def test_what_a_step_says_that_nobody_waits_for_is_not_logged(line, caplog):
    go_on, ended = Event(), Event()

    def fail():
        go_on.wait()
        try:
            raise UserError("Unknown label 'my private words'")
        finally:
            ended.set()
        yield

    async def leave():
        steps = turns.in_turn(fail, LIMITS, n_outputs=1, status=0)()
        task = asyncio.ensure_future(anext(steps))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await steps.aclose()
        go_on.set()
        while not ended.is_set():
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)

    with caplog.at_level(logging.DEBUG):
        asyncio.run(leave())
    assert "private" not in caplog.text
    wait_until(lambda: not line.list_turns())


def test_the_same_words_are_said_again_so_that_gradio_looks_who_listens(line, monkeypatch):
    monkeypatch.setattr(turns, "_SECONDS_BETWEEN_MESSAGES", 0.01)
    go_on, said = Event(), []

    def work():
        go_on.wait()
        yield "map", "done"

    async def follow():
        async for step in turns.in_turn(work, LIMITS, n_outputs=2, status=1)():
            said.append(step)
            if len(said) == 3:
                go_on.set()

    asyncio.run(follow())
    assert said[:3] == [(gr.skip(), "")] * 3
    assert said[-1] == ("map", "done")


def test_a_call_over_http_is_known_by_its_address(line):
    users = []

    def look(text: str) -> str:  # Gradio wants the type of an answer
        users.extend(turn.user for turn in line.list_turns())
        yield text

    with gr.Blocks() as app:
        gr.api(turns.in_turn(look, LIMITS, n_outputs=1, status=0), api_name="look")
    _, url, _ = app.queue().launch(server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
    try:
        call = f"{url}gradio_api/call/look"
        event = httpx.post(call, json={"data": ["hello"]}, timeout=60).json()["event_id"]
        assert "hello" in httpx.get(f"{call}/{event}", timeout=60).text
        assert Client(url, verbose=False).predict("hello", api_name="/look") == "hello"
    finally:
        app.close()
    assert users[0] == "address 127.0.0.1"
    assert not users[1].startswith("address")
