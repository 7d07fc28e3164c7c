"""Steps of events: what changes nothing costs nothing, and the page gets the same as from Gradio itself."""

import asyncio
from copy import deepcopy

import gradio as gr
import pytest
from gradio.state_holder import SessionState

from attattr_core.ui.steps import LightBlocks
from attattr_core.ui.visitors import Visitors


def build(kind):
    with kind() as page:
        outputs = [gr.HTML("first"), gr.State("kept"), gr.Textbox("text")]
        gr.Button().click(lambda: None, None, outputs)
    return page, outputs


def step(page, session, values):
    (event,) = page.fns.values()
    return asyncio.run(page.postprocess_data(event, values, session))


@pytest.mark.parametrize(
    "values",
    [
        (gr.skip(), gr.skip(), gr.skip()),
        ("<b>new</b>", "other", gr.skip()),
        [gr.skip(), "other", gr.Textbox(visible=False)],
        (gr.update(visible=False), gr.skip(), "text"),
        (gr.update(value="<i>new</i>"), gr.update(value="other"), gr.update(value="typed")),
        (None, None, None),
        gr.skip(),
    ],
)
def test_the_page_gets_the_same_as_from_gradio(values):
    light, plain = (build(kind)[0] for kind in (LightBlocks, gr.Blocks))
    got, expected = (step(page, SessionState(page), deepcopy(values)) for page in (light, plain))
    for value in (*got, *expected):
        if isinstance(value, dict) and value.get("props") == gr.skip():
            del value["props"]  # of an HTML component Gradio says twice that it is an update
    assert got == expected


def test_what_stays_as_it_is_is_not_built_anew():
    page, (html, state, _) = build(LightBlocks)
    session = SessionState(page)
    session[state._id] = "mine"
    step(page, session, (gr.skip(), gr.skip(), gr.skip()))
    assert (session[html._id], session[state._id]) == (html, "mine")
    step(page, session, (gr.update(visible=False), "other", gr.skip()))
    assert session[state._id] == "other"
    assert session[html._id].visible is False, "what an event changed of a component holds for its visitor"


def test_a_visitor_costs_no_copy_of_the_page(monkeypatch):
    page, (html, state, text) = build(LightBlocks)
    visitors = Visitors(10**6)
    visitors.set_blocks(page)
    monkeypatch.setattr(gr.HTML, "get_config", lambda self: pytest.fail("its settings were written out"))
    mine, other = visitors["mine"], visitors["other"]
    step(page, mine, (gr.update(visible=False), "changed", "typed"))
    assert (mine[html._id].visible, other[html._id].visible) == (False, True)
    assert (mine[state._id], other[state._id]) == ("changed", "kept")
    assert mine.config_values == {} or set(mine.config_values) == {state._id}
    assert mine[text._id].value == "text", "what was sent to the page is not kept"
