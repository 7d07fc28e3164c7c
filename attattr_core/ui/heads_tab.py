"""The tab with head importance and pruning curves: what is on it, when it fills, and what its buttons do."""

from dataclasses import dataclass

import gradio as gr

from attattr_core.ui.heads_components import heads_view
from attattr_core.ui.heads_payload import Heads


@dataclass(frozen=True)
class HeadsTab:
    view: gr.HTML


def build_heads_tab(value: str = "") -> HeadsTab:
    return HeadsTab(heads_view(value))
