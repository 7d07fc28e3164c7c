"""A page with nothing but a data picker, a choice of a checkpoint, and a button that reads the data."""

import sys
from dataclasses import dataclass
from typing import Any

import gradio as gr

from attattr_core.errors import UserError
from attattr_core.ui.data_picker import build_data_picker, read_choice, wire_data_picker
from attattr_core.ui.models import Models


@dataclass(frozen=True)
class Page:
    """What the picker needs of a page."""

    choice: gr.State
    names: gr.State


def build_picker_page(models: Models) -> gr.Blocks:
    """Builds the page; ``/read`` gives how many examples are chosen, their digest and first text, or a sentence."""

    def read(choice: Any, labels: str) -> dict[str, Any]:
        try:
            found = read_choice(choice, labels.split(",") if labels else None)
        except UserError as error:
            return {"error": str(error)}
        first = found.examples[0]
        return {"n": len(found), "sha256": found.sha256, "text": first.text, "label": first.label}

    with gr.Blocks(title="Data", analytics_enabled=False, fill_width=True) as app:
        choice = gr.State(None)
        model = gr.Textbox("", label="Checkpoint", elem_id="model")
        model.submit(models.find, model, choice, trigger_mode="multiple", api_visibility="private")
        picker = build_data_picker("try", label="Data")
        wire_data_picker(models, Page(choice, gr.State({})), picker)
        labels = gr.Textbox("", label="Labels", elem_id="labels")
        gr.Button("Read", elem_id="read").click(
            read, [picker.choice, labels], gr.JSON(elem_id="answer"), api_name="read"
        )
    return app


if __name__ == "__main__":
    from app import launch

    launch(build_picker_page(Models()), server_name="127.0.0.1", server_port=int(sys.argv[1]))
