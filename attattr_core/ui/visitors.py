"""What the server keeps of visitors: what they were shown and their files, how much of it and for how long.

Gradio does so too, but without a limit on bytes, with a copy of every message that a page was sent, and by the time of
day, which may jump: then what is in use would go, or nothing would any more.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import gradio as gr
import numpy as np
from gradio.route_utils import delete_files_created_by_app
from gradio.state_holder import SessionState, StateHolder
from gradio.utils import get_upload_folder

from attattr_core.files.ages import Ages

SECONDS_KEPT = 3600  # how long files that visitors upload or have made are kept
_SECONDS_SHOWN = 3600  # what a visitor has chosen and sees, after the last sign of life
_SECONDS_BETWEEN = 600  # old files are looked for at least this often
_SECONDS_UNHEARD = 60  # answers that nobody fetches are kept
_MOST_UNHEARD = 8  # visitors, or calls, whose answers wait to be fetched; one may have a hundred megabytes


class Large(Protocol):
    """A state of a visitor whose results can be put away."""

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """What takes the room."""

    def put_away(self) -> Any:
        """What stays in its place; whoever asks for the results then is told."""


@cache
def _is_large(kind: type) -> bool:
    return hasattr(kind, "arrays") and hasattr(kind, "put_away")


class Visitors(StateHolder):
    """What visitors see and have chosen: of so many visitors, for so long, and in so many bytes.

    All methods run in the server's event loop.
    """

    def __init__(self, max_bytes: int) -> None:
        """Knows nobody.

        Args:
            max_bytes: Most bytes of all results together. The visitor longest away loses his first, and the latest one
                none.
        """
        super().__init__()
        self._max_bytes = max_bytes
        self._moments: dict[str, float] = {}
        self._unheard: dict[str, float] = {}

    def __getitem__(self, session_id: str) -> SessionState:
        """What a visitor sees, as Gradio asks for it at each step of each event."""
        if session_id not in self.session_data:
            self.session_data[session_id] = _Session(self.blocks)
        self._moments[session_id] = time.monotonic()
        return super().__getitem__(session_id)

    def update(self, session_id: str) -> None:
        """Notes that a visitor is here. One too many goes, and somebody who sees a result only if everybody does."""
        self.session_data.move_to_end(session_id)
        if len(self.session_data) > self.capacity:
            others = [name for name in self.session_data if name != session_id]
            gone = next((name for name in others if not self._has_results(name)), others[0])
            self._drop(gone)

    def _has_results(self, session_id: str) -> bool:
        return any(_is_large(type(value)) for value in self.session_data[session_id].state_data.values())

    def delete_all_expired_state(self) -> None:
        """Forgets what is old or too much; Gradio calls this every second."""
        now = time.monotonic()
        for session_id, moment in list(self._moments.items()):
            if session_id not in self.session_data:  # Gradio has dropped it
                self._drop(session_id)
            elif now - moment > _SECONDS_SHOWN:
                self.session_data[session_id].state_data.clear()
        self._make_room()
        self._drop_unheard(now)

    def forget(self, session_id: str, left: float) -> None:
        """Forgets a visitor who has not come back.

        Args:
            session_id: What names the visitor's tab.
            left: When it was closed, by `time.monotonic`.
        """
        if self._moments.get(session_id, left) <= left:
            self._drop(session_id)

    def _drop(self, session_id: str) -> None:
        """Forgets a visitor, and what was said to the tab and nobody heard."""
        self.session_data.pop(session_id, None)
        self.time_last_used.pop(session_id, None)
        self._moments.pop(session_id, None)
        if not self._goes_on(session_id):
            self._drop_messages(session_id)

    def _goes_on(self, session_id: str) -> bool:
        queue = self.blocks._queue
        return bool(queue.pending_event_ids_session.get(session_id, set()) & queue.event_ids_to_events.keys())

    def _drop_messages(self, session_id: str) -> None:
        self.blocks._queue.pending_messages_per_session.pop(session_id, None)
        self.blocks._queue.pending_event_ids_session.pop(session_id, None)

    def _drop_unheard(self, now: float) -> None:
        """Drops answers that nobody has fetched; one who listens takes each as it comes."""
        messages = self.blocks._queue.pending_messages_per_session
        unheard = [name for name, left in messages.items() if not left.empty() and not self._goes_on(name)]
        self._unheard = {name: self._unheard.get(name, now) for name in unheard}
        for number, (name, since) in enumerate(sorted(self._unheard.items(), key=lambda one: one[1], reverse=True)):
            if number >= _MOST_UNHEARD or now - since > _SECONDS_UNHEARD:
                self._drop_messages(name)

    def _make_room(self) -> None:
        """Puts results away until all others fit; Gradio has the visitors in the order of their last steps."""
        counted: dict[int, int] = {}
        for number, session_id in enumerate(list(reversed(self.session_data))):
            states = self.session_data[session_id].state_data
            for key, value in list(states.items()):
                if not _is_large(type(value)):
                    continue
                sizes = {id(array): array.nbytes for array in value.arrays}
                if number and sum((counted | sizes).values()) > self._max_bytes:
                    states[key] = value.put_away()
                else:
                    counted |= sizes


class _Session(SessionState):
    """Without a copy of all components' settings and last values, which only deep links need: to make it at each new
    visitor and each step of each event held the server up, and it is as large as what was sent."""

    def __init__(self, blocks: gr.Blocks) -> None:
        """Knows nothing of a visitor."""
        super().__init__(SimpleNamespace(default_config=blocks.default_config, blocks=()))

    def __setitem__(self, key: int, value: Any) -> None:
        if isinstance(value, gr.blocks.Block):  # a component with what an event has changed of it
            self.blocks_config.blocks[key] = value
        else:
            super().__setitem__(key, value)

    def _update_config(self, key: int) -> None:
        pass

    def _update_value_in_config(self, key: int, value: Any) -> None:
        pass


class VisitorFiles:
    """Files that visitors upload or have made, each removed when it is old, and its folder with it."""

    def __init__(self, blocks: gr.Blocks, seconds: int) -> None:
        """Takes the app and how old files may become."""
        self._blocks, self._seconds, self._ages = blocks, seconds, Ages()

    def tidy(self) -> None:
        """Removes what is old; between its steps no upload goes on, as long as this runs in the server's event loop."""
        for known in self._blocks.temp_file_sets:
            for path in list(known):
                if self._is_gone(Path(path)):
                    known.discard(path)
                    with suppress(OSError):  # another file is in it
                        Path(path).parent.rmdir()
        for path in Path(get_upload_folder()).glob("tmp*"):  # uploads that Gradio never took in
            if path.is_file():
                self._is_gone(path)

    def _is_gone(self, path: Path) -> bool:
        """Whether a file is not there any more, because it was old or since others took it."""
        try:
            if self._ages.measure(path) <= self._seconds:
                return False
            path.unlink(missing_ok=True)
            self._ages.forget(path)
        except FileNotFoundError:
            pass
        return True


def keep_visitors(seconds: int, max_bytes: int) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """Makes the server's lifespan: while it lasts, this module keeps what Gradio would.

    Args:
        seconds: How long files are kept.
        max_bytes: Most bytes of all results that visitors look at.
    """

    @asynccontextmanager
    async def last(server: Any) -> AsyncIterator[None]:
        blocks = server.get_blocks()
        server.state_holder = Visitors(max_bytes)
        server.state_holder.set_blocks(blocks)
        tidying = asyncio.create_task(_tidy(VisitorFiles(blocks, seconds), min(seconds, _SECONDS_BETWEEN)))
        try:
            yield
        finally:
            tidying.cancel()
            delete_files_created_by_app(blocks, age=None)

    return last


async def _tidy(files: VisitorFiles, seconds: int) -> None:
    while True:
        await asyncio.sleep(seconds)
        files.tidy()
