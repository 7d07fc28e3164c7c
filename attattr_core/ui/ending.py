"""A clean end of the server: jobs stop before their next pass, connections close, and what visitors left is deleted."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

import gradio as gr
from gradio.route_utils import delete_files_created_by_app
from gradio.tunneling import CURRENT_TUNNELS

from attattr_core.ui.job_log import ROLL
from attattr_core.ui.line import find_line
from attattr_core.ui.store import find_store

_SECONDS_FOR_JOBS = 5.0  # a step of a large model may take longer: then it is cut off
_SECONDS_FOR_CONNECTIONS = 1


def listen_for_end() -> threading.Event:
    """Makes SIGTERM and Ctrl-C set an event; a second one ends the process at once."""
    told = threading.Event()

    def note(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        told.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, note)
    return told


def end_when(told: threading.Event, app: gr.Blocks, clean_up: Callable[[], None]) -> None:
    """Waits until the server is to end, and ends it and the process, with exit code 0.

    Args:
        told: From `listen_for_end`.
        app: The app that is served.
        clean_up: What is to be done at last.
    """
    while not told.wait(1):  # without a limit Windows would not hear Ctrl-C
        pass
    print("Shutting down …", file=sys.stderr)
    find_line().stop()
    ROLL.end(_SECONDS_FOR_JOBS)
    for tunnel in CURRENT_TUNNELS:
        tunnel.kill()
    app.server.config.timeout_graceful_shutdown = _SECONDS_FOR_CONNECTIONS
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # it calls a closed connection an error
    app.close(verbose=False)
    delete_files_created_by_app(app, age=None)
    find_store().clear()
    clean_up()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # a thread in the middle of a step would hold the process until that is done
