"""The tab with the attribution tree: what is on it, when it fills, and what its buttons do."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import gradio as gr
import numpy as np

from attattr_core.trees.curves import FaithfulnessCurves
from attattr_core.ui.curve_payload import Curves, Means, build_field_message, find_shipped
from attattr_core.ui.examples import FIRST, FOLDER
from attattr_core.ui.models import Choice, Models
from attattr_core.ui.running import PutAway, Session, find_first_session
from attattr_core.ui.tree_components import chart, tree_view
from attattr_core.ui.tree_exports import export_curves, export_means, export_tree
from attattr_core.ui.tree_measure import measure_data, measure_shown, stop_measuring
from attattr_core.ui.tree_payload import TreeOptions, build_tree_payload
from attattr_core.ui.turns import LONG_WORK, SHORT_WORK, in_turn

_PRIVATE = {"show_progress": "hidden", "trigger_mode": "multiple", "api_visibility": "private"}
_LONG = 160  # tokens; longer texts get their tree when the run has ended


@dataclass(frozen=True)
class TreeTab:
    """The tab's components; the last two are states that keep what was measured."""

    tree: gr.HTML
    curves: gr.HTML
    means: gr.HTML
    field: gr.HTML
    curves_kept: gr.State
    means_kept: gr.State


def build_tree_tab() -> TreeTab:
    """Builds the inside of the tab, with the first example on it."""
    *messages, curves, means = fill_tab(find_first_session())
    tree = tree_view(messages[0])
    charts = []
    with gr.Row():
        for kind, message in zip(("curves", "means", "field"), messages[1:], strict=True):
            with gr.Column(min_width=340):
                charts.append(chart(kind, message))
    states = [gr.State(value) for value in (curves, means)]
    return TreeTab(tree, *charts, *states)


def fill_tab(session: Session | PutAway | None, means: Means | None = None) -> tuple[Any, ...]:
    """Fills the tab with a result.

    Args:
        session: The result.
        means: What is shown for a data set; it stays while the checkpoint does.

    Returns:
        Values for the tree, the three charts and the two states.
    """
    if session is None:
        return "", "", "", "", None, None
    if isinstance(session, PutAway):
        return tuple(gr.skip() for _ in range(6))
    result = session.result
    tree = build_tree_payload(result, run=session.run, status=session.status)
    if session.status == "running":
        is_long = len(result.tokens) > _LONG
        return gr.skip() if is_long else tree, *(gr.skip() for _ in range(5))
    shipped = find_shipped(result)
    curves = _load_first_curves() if session.run == "first" else None
    is_same = means is not None and (means.model, means.revision) == (result.model, result.revision)
    if not is_same or (means.mode and means.mode not in means.modes):  # stopped before anything was measured
        means = None if shipped is None else shipped.means
    elif means.status == "measuring":
        means = replace(means, status="stopped")
    return (
        tree,
        "" if curves is None else curves.build_message(),
        "" if means is None else means.build_message(),
        build_field_message(result, shipped),
        curves,
        means,
    )


def wire_tree(models: Models, page: Any, tabs: gr.Tabs, tab: TreeTab) -> None:
    """Connects the tab's events with each other and with the header (`attattr_core.ui.wiring.Page`)."""
    filled = [tab.tree, tab.curves, tab.means, tab.field, tab.curves_kept, tab.means_kept]
    # In the browser alone, without a round trip.
    tab.tree.show_heatmaps(
        None, None, tabs, js="() => ({ __type__: 'update', selected: 'heatmaps' })", api_visibility="private"
    )

    # EventData reaches only plain functions.
    def measure_one(model: str, choice: Choice | None, session: Any, event: gr.EventData) -> Iterator[tuple]:
        yield from measure_shown(models, model, choice, session, event._data)

    def measure_many(model: str, choice: Choice | None, session: Any, event: gr.EventData) -> Iterator[tuple]:
        yield from measure_data(models, model, choice, session, event._data)

    inputs = [page.model, page.choice, page.session]
    one, many = in_turn(measure_one, models.page), in_turn(measure_many, models.page, is_long=True)
    jobs = [
        tab.curves.measure(one, inputs, [tab.curves, page.status, tab.curves_kept], **SHORT_WORK, **_PRIVATE),
        tab.means.measure(many, inputs, [tab.means, page.status, tab.means_kept], **LONG_WORK, **_PRIVATE),
    ]
    shown = [page.session, tab.means_kept]
    quiet = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": 4}
    page.session.change(fill_tab, shown, filled, **quiet)
    kept = [tab.curves_kept, tab.means_kept]
    triggers = [tab.curves.stop_measure, tab.means.stop_measure, page.stop.click]
    # Whatever shows another result needs the model, or makes what is measured out of date.
    triggers += [page.run.click, page.text.submit, page.pair.submit, page.opener.upload, page.examples.dataset.click]
    for trigger in triggers:
        trigger(stop_measuring, kept, [tab.curves, tab.means, *kept], cancels=jobs, queue=False, **_PRIVATE)
    files = [page.download, page.status]
    tab.tree.export_tree(export_tree, page.session, files, **_PRIVATE)
    tab.curves.export_curves(export_curves, tab.curves_kept, files, **_PRIVATE)
    tab.means.export_curves(export_means, tab.means_kept, files, **_PRIVATE)


@cache
def _load_first_curves() -> Curves | None:
    """The curves of the first example's tree, as *Export* wrote them."""
    path = FOLDER / f"{FIRST}-curves.json"
    if not path.is_file():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    drawn = {
        kind: {order: np.array(values) for order, values in content[kind].items()} for kind in ("deletion", "insertion")
    }
    counts = np.array(content["counts"])
    curves = FaithfulnessCurves(counts, **drawn, function=content["function"], label=content["label"])
    return Curves("first", TreeOptions(), curves, len(counts), "example")
