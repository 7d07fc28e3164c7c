"""From a method to an endpoint: its fields are checked, and what goes wrong becomes one sentence."""

import inspect
import logging
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, get_args, get_type_hints

import gradio as gr
from gradio.context import get_blocks_context
from gradio.utils import get_function_description

from attattr_core.errors import UserError
from attattr_core.storage import clean_text
from attattr_core.ui.api.answers import tell_waiting
from attattr_core.ui.api.fields import check_field, clean_value
from attattr_core.ui.limits import PageLimits
from attattr_core.ui.refusals import FAILED
from attattr_core.ui.turns import in_turn


def offer(
    endpoint: Callable[..., Iterator[Any]],
    *,
    limits: PageLimits | None = None,
    is_long: bool | Callable[..., bool] = False,
    **queue: Any,
) -> None:
    """Adds an endpoint to the app that is being built, under the method's name and with its docstring.

    Args:
        endpoint: A method that yields answers; closing it stops the work.
        limits: What a visitor may ask for, where it computes: then it waits for its turn (`attattr_core.ui.turns`).
        is_long: Whether that work is long from its beginning, or what tells that from the fields.
        queue: Which queue it waits in, as `gradio.api` takes it.
    """
    hints = get_type_hints(endpoint)
    (answered,) = get_args(hints.pop("return"))

    @wraps(endpoint)
    def answer(*values: Any) -> Iterator[Any]:
        try:
            taken = [clean_value(name, value) for name, value in zip(hints, values, strict=True)]
            for (name, hint), value in zip(hints.items(), taken, strict=True):
                check_field(name, value, hint)
            yield from endpoint(*taken)
        except UserError as error:
            raise gr.Error(clean_text(error), print_exception=False) from error
        except Exception as error:
            logging.getLogger(__name__).exception("%s failed", endpoint.__name__)
            raise gr.Error(FAILED, print_exception=False) from error

    # Gradio describes what the function returns, and clients get one answer after the other.
    answer.__signature__ = inspect.signature(endpoint).replace(return_annotation=answered)
    if limits is not None:
        turn = {"say_waiting": tell_waiting, "idle": tell_waiting("")}
        answer = in_turn(answer, limits, n_outputs=1, status=0, is_long=is_long, **turn)
    gr.api(answer, api_name=endpoint.__name__, **queue)
    _explain_fields(endpoint)


def _explain_fields(endpoint: Callable[..., Any]) -> None:
    """Puts the docstring's words where Gradio's page about the endpoints calls the fields "1st" and so on."""
    offered = list(get_blocks_context().fns.values())[-1]
    _, fields, returned = get_function_description(endpoint)
    for component, text in zip(
        (*offered.inputs, *offered.outputs), (*fields.values(), "; ".join(returned)), strict=True
    ):
        component.label = text
