"""Events of the page whose work waits for its turn (`attattr_core.ui.line`), and what ends it from outside."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import copy_context
from functools import partial, wraps
from typing import Any

import gradio as gr
from gradio.context import LocalContext

from attattr_core.ui.components import tell
from attattr_core.ui.limits import PageLimits
from attattr_core.ui.line import END, find_line

# Queues of Gradio's, wide: what waits, waits in the line or in `attattr_core.ui.long_work`, where it is told so.
SHORT_WORK = {"concurrency_id": "model", "concurrency_limit": 64}
LONG_WORK = {"concurrency_id": "long", "concurrency_limit": 64}
DOWNLOADS = {"concurrency_id": "download", "concurrency_limit": 64}
QUESTIONS = {"concurrency_id": "hub", "concurrency_limit": 8}  # to the Hub, which holds up neither

_SECONDS_BETWEEN_MESSAGES = 2.0
_MOST_SILENT = 5  # messages that would say the same; Gradio looks whether anybody listens when there is one
_CALLS_OF_ADDRESS = 4  # times as many jobs as a visitor's: programs that say who they are by nothing else
_SECONDS_UNTIL_FORGOTTEN = 60  # of a closed tab: a lost connection is back sooner


def in_turn(
    handler: Callable[..., Iterator[Any]],
    limits: PageLimits,
    *,
    n_outputs: int = 3,
    status: int = 1,
    is_long: bool | Callable[..., bool] = False,
    say_waiting: Callable[[str], Any] = tell,
    idle: Any = "",
) -> Callable[..., AsyncIterator[Any]]:
    """Makes an event's handler one whose work waits for its turn and ends when the event is cancelled.

    Args:
        handler: A generator function; it does its work through `attattr_core.engine`.
        limits: What a visitor may ask for.
        n_outputs: How many values it yields.
        status: Which of them is the sentence above the result: while the job waits, it says so there.
        is_long: Whether its work is long; or what tells that from the handler's values.
        say_waiting: Makes that of the words that say how long the job waits.
        idle: What stands there before the handler has yielded.

    Returns:
        The same for Gradio, asynchronous: a cancelled event interrupts it at once, and then the thread that computes
        hears of it before its next pass.
    """

    def say(sentence: str) -> Any:
        values = [gr.skip()] * n_outputs
        values[status] = sentence
        return tuple(values) if n_outputs > 1 else sentence

    @wraps(handler)
    async def handle(*values: Any) -> AsyncIterator[Any]:
        long = is_long(*values) if callable(is_long) else is_long
        steps, last, said, n_silent = handler(*values), idle, idle, 0
        user, is_address = _find_user()
        n_allowed = _CALLS_OF_ADDRESS * limits.max_visitor_jobs if is_address else None
        turn = find_line().join(user, _find_name(handler), limits, is_long=long, n_allowed=n_allowed)
        loop = asyncio.get_running_loop()
        try:
            while True:
                work = loop.run_in_executor(turn.thread, copy_context().run, turn.step, steps)
                work.add_done_callback(_take_note)
                while not (await asyncio.wait({work}, timeout=_SECONDS_BETWEEN_MESSAGES))[0]:
                    words = say_waiting(find_line().describe_place(turn)) if turn.waits else last
                    n_silent += 1
                    if words != said or n_silent == _MOST_SILENT:
                        said, n_silent = words, 0
                        yield say(words)
                step = work.result()
                if step is END:
                    return
                last = said = step[status] if n_outputs > 1 else step
                yield step
        finally:
            turn.close(steps)

    return handle


def _find_name(handler: Callable[..., Any]) -> str:
    return handler.__name__ if not isinstance(handler, partial) else _find_name(handler.func)


def _take_note(work: asyncio.Future) -> None:
    """Looks at how a step ended that nobody waits for any more: else it is logged, with a visitor's words."""
    if not work.cancelled():
        work.exception()


def _find_user() -> tuple[str, bool]:
    """Finds who asks, and whether all that is known is the address: a call over HTTP has no session, but its own id."""
    request = LocalContext.request.get(None)
    session = (request.session_hash or "") if request is not None else ""
    if session and session == LocalContext.event_id.get(None):
        return f"address {getattr(request.client, 'host', '')}", True
    return session, False


async def leave_page(request: gr.Request) -> None:
    """Stops what a closed tab has left behind, and forgets what it was shown unless it comes back soon.

    Results of long texts are large (`attattr_core.ui.visitors`).
    """
    user, visitors = request.session_hash or "", LocalContext.blocks.get().state_holder
    find_line().stop(user)
    asyncio.get_running_loop().call_later(_SECONDS_UNTIL_FORGOTTEN, visitors.forget, user, time.monotonic())
