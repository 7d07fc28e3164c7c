"""Open an importance or a study, and go back from it to the chosen checkpoint."""

from pathlib import Path
from typing import Any

import gradio as gr

from attattr_core.errors import UserError
from attattr_core.heads.results import HeadStudy
from attattr_core.ui.components import warn
from attattr_core.ui.heads_payload import Heads, Shelf, show_shipped
from attattr_core.ui.models import Choice

#: More heads than this are refused on the page.
MOST_LAYERS, MOST_HEADS, MOST_NAME = 64, 64, 200


def open_heads(path: str, shelf: Shelf) -> tuple[Any, Any, Any]:
    """Shows a saved file: values for the view, the status and the shelf."""
    raise NotImplementedError


def go_back(choice: Choice | None, shelf: Shelf) -> tuple[Any, Any, Any]:
    """Shows the chosen checkpoint again: values for the view, the status and the shelf."""
    if choice is None:
        return gr.skip(), "", gr.skip()
    shelf = shelf.put(shelf.find(choice.key) or show_shipped(choice.key, choice.description.name))
    return shelf.build_message(), "", shelf
