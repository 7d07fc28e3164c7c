"""What the server keeps of visitors is bounded: results by bytes, and nothing of what was only sent."""

import asyncio
import time
from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import httpx
import pytest
from samples import make_attribution, make_large_attribution

from attattr_core import UserError
from attattr_core.ui.exports import export_view
from attattr_core.ui.running import PutAway, Session, find_session, stop_run
from attattr_core.ui.tree_tab import fill_tab
from attattr_core.ui.trial import open_trial
from attattr_core.ui.trial_payload import Trial
from attattr_core.ui.visitors import Visitors
from tests.load.tab import Page, Tab, read

RESULT = make_large_attribution(2, 2, 64)
SIZE = RESULT.attention.nbytes + RESULT.attribution.nbytes


def make_session(run: str, status: str = "done", result=None) -> Session:
    """A session with arrays of its own."""
    result = result or replace(RESULT, attention=RESULT.attention.copy(), attribution=RESULT.attribution.copy())
    return Session(result, run, status)


@pytest.fixture
def keep():
    """Makes a store for so many results, and looks at what each visitor has."""
    with gr.Blocks() as page:
        one, other = gr.State(), gr.State()

    class Kept:
        def __init__(self, n_results: float) -> None:
            self.visitors = Visitors(int(n_results * SIZE))
            self.visitors.set_blocks(page)

        def show(self, visitor: str, value: object, state: gr.State = one) -> None:
            self.visitors[visitor][state._id] = value

        def tidy(self) -> dict[str, object]:
            self.visitors.delete_all_expired_state()
            return {name: found.state_data.get(one._id) for name, found in self.visitors.session_data.items()}

    Kept.one, Kept.other = one, other
    return Kept


def test_the_visitor_who_is_longest_away_loses_his_result_first(keep):
    kept = keep(2)
    for name in "abc":
        kept.show(name, make_session(name))
    assert kept.visitors["a"], "is here again"
    found = kept.tidy()
    assert found["b"] == PutAway("b")
    assert [found[name].run for name in "ac"] == ["a", "c"]
    assert isinstance(found["a"], Session)
    assert isinstance(found["c"], Session)
    kept.show("b", make_session("anew"))
    assert {name for name, value in kept.tidy().items() if isinstance(value, Session)} == {"a", "b"}


def test_the_latest_visitor_and_what_goes_on_are_left_alone(keep):
    kept = keep(0.1)
    kept.show("goes on", make_session("x", "running"))
    kept.show("me", make_session("mine"))
    found = kept.tidy()
    assert found["goes on"].status == "running"
    assert isinstance(found["me"], Session)
    kept.show("you", None)
    assert kept.tidy()["me"] == PutAway("mine")


def test_many_who_see_nothing_push_nobody_out_who_sees_a_result(keep):
    kept = keep(3)
    kept.visitors.capacity = 3
    for name in "ab":
        kept.show(name, make_session(name))
    for number in range(20):  # calls of programs, each with a session of its own
        kept.visitors[f"call {number}"]
    assert set(kept.visitors.session_data) == {"a", "b", "call 19"}
    for name in "cde":
        kept.show(name, make_session(name))
    assert set(kept.visitors.session_data) == {"c", "d", "e"}
    assert set(kept.visitors._moments) == {"c", "d", "e"}


def test_a_visitor_whom_gradio_dropped_is_forgotten(keep):
    kept = keep(1)
    for name in "ab":
        kept.show(name, make_session(name))
    del kept.visitors.session_data["a"]
    assert set(kept.tidy()) == {"b"}
    assert set(kept.visitors._moments) == {"b"}


def test_answers_that_nobody_fetches_go(keep, monkeypatch):
    kept, clock = keep(1), [0.0]
    messages = kept.visitors.blocks._queue.pending_messages_per_session
    monkeypatch.setattr("attattr_core.ui.visitors.time", SimpleNamespace(monotonic=lambda: clock[0]))

    def answer(name: str) -> None:
        kept.visitors[name]
        messages[name] = asyncio.Queue()
        messages[name].put_nowait("an answer")

    answer("first")
    messages["listens"] = asyncio.Queue()
    for number in range(8):
        clock[0] += 1
        kept.tidy()
        answer(f"call {number}")
    kept.tidy()
    assert list(messages) == ["listens", *(f"call {number}" for number in range(8))]
    clock[0] += 61
    kept.tidy()
    assert list(messages) == ["listens"]


def test_arrays_that_two_show_count_once_and_small_states_never(keep):
    kept, shared = keep(1), make_session("shared")
    for name in "abc":
        kept.show(name, replace(shared, run=name))
        kept.show(name, {"small": "state"}, kept.other)
    assert all(isinstance(value, Session) for value in kept.tidy().values())
    kept.show("d", make_session("another"))
    found = kept.tidy()
    assert isinstance(found["d"], Session)
    assert [found[name] for name in "abc"] == [PutAway(name) for name in "abc"]


def test_a_comparison_is_put_away_as_a_whole(keep):
    kept = keep(1)
    trial = Trial(
        spans=((),), run="t", status="done", clean=make_session("x").result, triggered=make_session("y").result
    )
    kept.show("a", trial)
    kept.show("b", make_session("b"))
    found = kept.tidy()["a"]
    assert (found.clean, found.triggered, found.status) == (None, None, "put away")
    for asked, sentence in (("t", "was put away to make room"), ("other", "is no longer on the server")):
        _, status, *_ = open_trial(found, {"run": asked, "which": "clean", "tab": "tree"})
        assert sentence in read(status)["text"]


def test_a_result_that_was_put_away_is_one_sentence_and_nothing_breaks():
    class Event:
        _data = {"run": "r", "format": "npz", "view": {}}  # noqa: RUF012

    away = Session(make_attribution(), "r", "done").put_away()
    view, status = export_view(away, Event())
    assert view == gr.skip()
    sentence = "The result shown was put away to make room for others: press Run again, then export."
    assert read(status)["text"] == sentence
    with pytest.raises(UserError, match="was put away to make room for others: press Run again, then measure"):
        find_session(away, "r", "measure")
    with pytest.raises(UserError, match="is no longer on the server"):
        find_session(away, "another", "measure")
    assert fill_tab(away) == tuple(gr.skip() for _ in range(6))
    assert stop_run(away) == (gr.skip(), "", gr.skip())


def test_the_app_puts_away_and_what_was_sent_is_not_kept():
    from app import launch
    from attattr_core.ui import build_app

    app = build_app()
    _, url, _ = launch(app, max_result_bytes=1, server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
    try:
        told = asyncio.run(_export_after_another(url, app.state_holder))
        assert told[0] == told[2] == ""
        assert told[1] == "The result shown was put away to make room for others: press Run again, then export."
        for visitor in app.state_holder.session_data.values():
            values = [str((config or {}).get("props", {}).get("value")) for config in visitor.config_values.values()]
            assert not any("mine alone" in value for value in values)
            assert sum(map(len, values)) < 2_000_000
    finally:
        app.close(verbose=False)


async def _export_after_another(url: str, visitors: Visitors) -> list[str]:
    """What is said to a visitor who exports: at once, after another one's run, and after Run was pressed again."""
    said = []
    async with httpx.AsyncClient(base_url=url, timeout=300) as http:
        page = Page.read((await http.get("/config")).json())
        export, run = page.find("heatmaps", "export"), page.find_filler("heatmaps", "target")

        async def explain(tab: Tab) -> dict:
            given = {"model": "sst2", "text": "mine alone", "pair": "", "target": "predicted"}
            outputs = [part async for part in tab.listen(await tab.begin(run, given))]
            return read(next(part[0] for part in reversed(outputs) if isinstance(part[0], str)))

        async with Tab.open(http, page) as mine, Tab.open(http, page) as other:
            for comes_between in (False, True, False):
                message = await explain(mine)
                if comes_between:
                    await explain(other)
                    await _wait_until_put_away(visitors, mine.session)
                data = {"run": message["run"], "format": "npz", "view": {}}
                outputs = [part async for part in mine.listen(await mine.begin(export, None, data))]
                said.append(read(outputs[-1][1]).get("text", ""))
    return said


async def _wait_until_put_away(visitors: Visitors, session: str) -> None:
    last = time.monotonic() + 60
    while not any(isinstance(value, PutAway) for value in visitors.session_data[session].state_data.values()):
        assert time.monotonic() < last
        await asyncio.sleep(0.05)


def test_what_nobody_hears_goes_with_its_tab(keep):
    kept = keep(1)
    queue = kept.visitors.blocks._queue
    for name in ("left", "busy"):
        assert kept.visitors[name]
        queue.pending_messages_per_session[name] = ["a large message"]
        queue.pending_event_ids_session[name] = {f"event of {name}"}
    queue.event_ids_to_events["event of busy"] = object()
    for name in ("left", "busy"):
        kept.visitors.forget(name, time.monotonic())
    assert list(queue.pending_messages_per_session) == ["busy"], "what goes on still speaks"
    assert list(queue.pending_event_ids_session) == ["busy"]
    assert not kept.visitors.session_data
