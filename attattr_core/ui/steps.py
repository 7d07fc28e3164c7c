"""Steps of events that cost little where little changes: the server has one loop for them, and others wait for it."""

from typing import Any

import gradio as gr
from gradio.components import _Keywords

_SAME = gr.skip()
_NOTHING = _Keywords.FINISHED_ITERATING  # Gradio leaves what it finds this for as it is


class LightBlocks(gr.Blocks):
    """An app whose events leave components alone that they do not change.

    Gradio builds such a component anew, with its scripts, at each step of each event.
    """

    async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any) -> list[Any]:
        """Makes of what an event's handler gave what the page gets."""
        n_outputs = len(block_fn.outputs)
        if _is_same(predictions):
            given = [_SAME] * n_outputs
        elif n_outputs > 1 and isinstance(predictions, list | tuple):
            given = predictions
        else:
            return await super().postprocess_data(block_fn, predictions, state)
        same = [_is_same(value) for value in given]  # before Gradio takes its values out of an update
        changed = [_NOTHING if is_same else value for value, is_same in zip(given, same, strict=True)]
        values = await super().postprocess_data(block_fn, changed if n_outputs != 1 else changed[0], state)
        for k, component in enumerate(block_fn.outputs):
            if same[k] and not component.stateful:
                values[k] = dict(_SAME)
        return values


def _is_same(value: Any) -> bool:
    return isinstance(value, dict) and value == _SAME
