"""What a visitor sees on the triggers tab, and what is done with it: stop, open, go back, use an example."""

from dataclasses import replace
from typing import Any

import gradio as gr

from attattr_core.errors import UserError
from attattr_core.triggers.overlap import drop_mined
from attattr_core.ui.components import taking_upload, warn
from attattr_core.ui.data_picker import read_choice
from attattr_core.ui.long_work import Desk
from attattr_core.ui.model_picker import Names
from attattr_core.ui.models import Choice, Models
from attattr_core.ui.triggers_payload import Shown
from attattr_core.ui.triggers_shipped import find_shipped, read_file

_MAX_KEPT = 4  # checkpoints whose results a visitor's tab keeps

Kept = dict[str, Shown]
Values = tuple[Any, Any, Any]  # for the view, the status and the state


def fill(choice: Choice | None, kept: Kept | None) -> str:
    """Fills the view with what is known for a checkpoint: a visitor's own result, else that which comes with it.

    Work on it has ended by then, whatever its last message said.
    """
    return (find_shown(choice, kept) or Shown("", "idle")).stop().build_message()


def find_shown(choice: Choice | None, kept: Kept | None) -> Shown | None:
    """Finds what the tab shows for a checkpoint."""
    if choice is None:
        return None
    return (kept or {}).get(choice.key) or find_shipped(choice.description.name)


def stop_work(choice: Choice | None, kept: Kept | None, desk: Desk) -> tuple[Any, Any]:
    """Keeps what there was when the work was stopped: values for the view and the state."""
    desk.end()
    shown = (kept or {}).get(choice.key) if choice else None
    if shown is None or shown.status != "running":
        return gr.skip(), gr.skip()
    stopped = replace(shown, status="stopped")
    return stopped.build_message(), {**kept, choice.key: stopped}


def open_file(
    path: str | None, models: Models, choice: Choice | None, names: Names | None, kept: Kept | None, desk: Desk
) -> Values:
    """Shows a trigger file, ours or the authors'."""
    try:
        with taking_upload(path) as file:
            if choice is None:
                raise UserError("No checkpoint is chosen: choose the one that the triggers belong to first.")
            shown = read_file(file, models.find_labels(choice, names))
        shown = replace(shown, has_shipped=find_shipped(choice.description.name) is not None)
    except UserError as error:
        return gr.skip(), warn(str(error)), gr.skip()
    desk.end()
    return shown.build_message(), "", keep(kept, choice.key, shown)


def forget_own(choice: Choice | None, kept: Kept | None, desk: Desk) -> tuple[Any, Any]:
    """Goes back to the result that comes with the checkpoint: values for the view and the state."""
    desk.end()
    left = {key: shown for key, shown in (kept or {}).items() if choice is None or key != choice.key}
    return fill(choice, left), left


def use_flip(choice: Choice | None, kept: Kept | None, asked: Any) -> Values:
    """Puts an example that flipped into the header: values for its two texts and the status."""
    shown = find_shown(choice, kept)
    asked = asked if isinstance(asked, dict) else {}
    try:
        if shown is None or asked.get("run") != shown.run:
            raise UserError("This example is no longer on the server: evaluate again.")
        mined = shown.find(str(asked.get("mode")))
        index = asked.get("index")
        if mined is None or mined.source is None or type(index) is not int:
            raise UserError("The data that this example is from are not at hand: evaluate again.")
        data, labels, drops = mined.source
        examples = read_choice(data, labels)
        if drops:
            examples = drop_mined(examples, mined.triggers.example_digests, drop=True)
        if not 0 <= index < len(examples):
            raise UserError("The data have changed since they were evaluated: evaluate again.")
        example = examples.examples[index]
        return example.text, example.text_pair or "", ""
    except UserError as error:
        return gr.skip(), gr.skip(), warn(str(error))


def keep(kept: Kept | None, key: str, shown: Shown) -> Kept:
    """Keeps what is shown of a checkpoint, and the last ones of others."""
    others = {name: value for name, value in (kept or {}).items() if name != key}
    return {**dict(list(others.items())[-_MAX_KEPT + 1 :]), key: shown}
