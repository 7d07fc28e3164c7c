"""What the first run needs is loaded while the first visitor still reads, so that Run answers at once."""

import gc
import logging
from functools import cache
from threading import Thread

import gradio as gr

from attattr_core.checkpoints.catalog import EMBEDDED
from attattr_core.errors import UserError
from attattr_core.hub import describe, parse_reference
from attattr_core.settings import Settings
from attattr_core.ui.examples import EXAMPLES, FIRST
from attattr_core.ui.spaces import IS_ZERO_GPU
from attattr_core.ui.work import Job, attribute_job


def warm_at_first_visit(app: gr.Blocks) -> None:
    """Makes the first page that is opened load torch and the embedded checkpoints, in a thread of its own.

    A page that is open has been answered: nothing is done before. On ZeroGPU the main process never loads a model.
    """
    if not IS_ZERO_GPU:
        app.load(_start, None, None, queue=False, show_progress="hidden", api_visibility="private")


@cache  # once a process
def _start() -> None:
    Thread(target=warm_up, name="warming", daemon=True).start()


def warm_up() -> None:
    """Attributes a sentence with each embedded checkpoint, that of the first screen first.

    In the end Python's collector is told to leave alone what the libraries made at their import, some million objects:
    while it looks through them, which it did every few seconds of a job, no thread goes on and no request is answered,
    for 0.4 s on a fast machine and for several on a slow one.
    """
    first, *text = EXAMPLES[FIRST]
    for name in sorted(EMBEDDED, key=lambda name: name != first):
        try:
            description = describe(parse_reference(name))
        except UserError as error:  # it is not in this working tree: Run says so
            logging.getLogger(__name__).info("Not warmed: %s", error)
            continue
        attribute = attribute_job.__wrapped__  # no visitor's job: it leaves no line in the log
        for _ in attribute(Job(description, texts=(text[0], ""), settings=Settings(n_steps=1), reports=False)):
            pass
    gc.collect()
    gc.freeze()
