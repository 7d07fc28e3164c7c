"""What connects the page's address with its fields, and files that bring settings with both."""

from typing import Any

import gradio as gr

from attattr_core.ui.link import FIELDS, TABS, open_bundle, restore_link
from attattr_core.ui.link_fields import HEADS_FIELDS
from attattr_core.ui.model_picker import Names
from attattr_core.ui.models import Models
from attattr_core.ui.wiring import show_known


def wire_link(
    models: Models, page: Any, tabs: gr.Tabs, parts: list[gr.Tab], heads: list[Any], triggers: list[Any]
) -> None:
    """Connects the address with the header, and files with both.

    Args:
        models: What the server offers.
        page: The header (`attattr_core.ui.wiring.Page`).
        tabs: The tabs, and their parts.
        parts: Those of `TABS`.
        heads: The components of `HEADS_FIELDS`.
        triggers: The components of `TRIGGERS_FIELDS`.
    """
    private = {"show_progress": "hidden", "trigger_mode": "multiple", "api_visibility": "private"}
    groups = {0: [page.model, page.target, *page.settings], len(FIELDS): heads, len(FIELDS | HEADS_FIELDS): triggers}
    fields = [field for group in groups.values() for field in group]
    filled = [page.link, tabs, page.text, page.pair, page.names, *fields]

    # EventData reaches only plain functions.
    def restore(names: Names, event: gr.EventData) -> tuple[Any, ...]:
        return restore_link(models, event._data, names)

    def open_file(path: str, names: Names) -> tuple[Any, ...]:
        return open_bundle(models, path, names)

    opened = [page.view, page.status, page.session, *filled]
    for done in (
        page.link.restore(restore, page.names, filled, **private),
        page.opener.upload(open_file, [page.opener, page.names], opened, **private),
    ):
        done.then(**show_known(models, page))
    # In the browser alone, without a round trip.
    for start, group in groups.items():
        gr.on(
            [field.change for field in group],
            None,
            group,
            None,
            js=f"(...values) => {{ window.__attattr?.link?.setFields(values, {start}); }}",
            **private,
        )
    for name, part in zip(TABS, parts, strict=True):
        part.select(None, None, None, js=f"() => {{ window.__attattr?.link?.setTab('{name}'); }}", **private)
