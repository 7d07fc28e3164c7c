"""Sentences in place of the traceback, or the nothing, that Gradio answers to what it cannot take."""

import logging
import re
from typing import Any

import gradio as gr
from fastapi.exceptions import RequestValidationError
from gradio.exceptions import InvalidPathError
from gradio.route_utils import FnIndexInferError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse

from attattr_core.errors import UserError, is_disk_error
from attattr_core.storage import clean_text
from attattr_core.ui.shortages import describe_full_disk
from attattr_core.ui.steps import LightBlocks

#: What a visitor reads where the fault is not his own.
FAILED = "The server failed at this, and not because of what was asked for; its log says why."
_CALL = "/gradio_api/call/"
_CALLS = (_CALL, "/gradio_api/run/", "/gradio_api/api/", "/gradio_api/queue/join")
_UPLOAD = "/gradio_api/upload"
_MAX_CHARACTERS = 400
_TYPE = re.compile(r" \(type: <class '\w+'>\)")  # what Gradio adds for programmers


class CheckedBlocks(LightBlocks):
    """An app that answers values which no field of it takes with a sentence."""

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *rest: Any, **options: Any) -> list[Any]:
        """Makes the values of an event those of its handler.

        Raises:
            gr.Error: When there are too few, or one is not of its field's kind.
        """
        if len(inputs) < len(block_fn.inputs):
            raise _refuse(f"Too few values came: {len(inputs)} of {len(block_fn.inputs)}. Name every field.")
        try:
            return await super().preprocess_data(block_fn, inputs, *rest, **options)
        except gr.Error as error:
            said = _TYPE.sub("", error.message)[:_MAX_CHARACTERS].rstrip(".")
            raise _refuse(f"{said}.") from error
        except InvalidPathError as error:
            raise _refuse("A file was named that nobody has uploaded here: upload it first.") from error
        except RecursionError as error:
            raise _refuse("A value is nested too deeply: give plain texts, lists and objects.") from error
        except Exception as error:  # components raise whatever a value of another type leads to
            raise _refuse("A value is not of the kind that its field takes: see the list of endpoints.") from error

    async def call_function(self, block_fn: Any, *rest: Any, **options: Any) -> Any:
        """Calls an event's handler; what should not happen goes into the log.

        Raises:
            gr.Error: When the handler fails, with the handler's own sentence or that it failed.
        """
        try:
            return await super().call_function(block_fn, *rest, **options)
        except gr.Error:
            raise
        except UserError as error:
            raise _refuse(str(error)) from error
        except Exception as error:
            logging.getLogger(__name__).exception("%s failed", getattr(block_fn, "name", "an event"))
            raise _refuse(FAILED) from error


async def _explain_call(request: Request, error: Exception) -> JSONResponse:
    """Answers calls whose names fit no endpoint or field.

    Raises:
        Exception: The error itself, where it is not about such a call.
    """
    path = request.url.path
    if isinstance(error, KeyError) and path.startswith(_CALLS):
        return _answer(404, f"There is no endpoint {str(error)[:80]}.")
    if isinstance(error, FnIndexInferError):
        return _answer(404, f"There is no endpoint {path.rstrip('/').rpartition('/')[2][:80]!r}.")
    if isinstance(error, TypeError) and path.startswith(_CALL):
        return _answer(422, str(error).partition(" Please click")[0])
    if isinstance(error, TypeError) and path.startswith(_UPLOAD):
        return _answer(422, "What was uploaded is no file, or has no name: give it one.")
    raise error


async def _explain_body(_: Request, error: RequestValidationError) -> JSONResponse:
    """Answers requests whose body is no JSON, or not the object that it should be, without repeating it."""
    first = error.errors()[0]
    return _answer(422, f"{'.'.join(map(str, first['loc']))}: {first['msg']}.")


async def _explain_full_disk(_: Request, error: Exception) -> PlainTextResponse:
    """Answers a request, most likely an upload, for which the disk has no room.

    Raises:
        OSError: What the system says otherwise.
    """
    if not is_disk_error(error):
        raise error
    return PlainTextResponse(describe_full_disk(error.strerror), 507)


async def _answer_nobody(_: Request, __: Exception) -> PlainTextResponse:
    """Ends a request of somebody who has left in the midst of it; the log need not know."""
    return PlainTextResponse("", 499)


def _answer(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"detail": clean_text(sentence)[:_MAX_CHARACTERS]}, status_code=status)


def _refuse(sentence: str) -> gr.Error:
    return gr.Error(clean_text(sentence), print_exception=False)


#: For Gradio's application, by the class of the error.
EXPLANATIONS = {
    KeyError: _explain_call,
    TypeError: _explain_call,
    FnIndexInferError: _explain_call,
    RequestValidationError: _explain_body,
    OSError: _explain_full_disk,
    ClientDisconnect: _answer_nobody,
}
