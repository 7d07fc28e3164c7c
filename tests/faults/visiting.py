"""What visitors of the app do in the tests of faults, and a disk that they fill."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gradio_client import Client
from serving import answers

REPOSITORY = Path(__file__).resolve().parents[2]
SETTINGS = ("predicted", "probability", "zero", "fixed nodes", 0.01, 2, "automatic")
ROWS = [
    {"text": f"{words}, number {number}.", "label": label}
    for number in range(4)
    for words, label in (("A warm and funny film", "positive"), ("Two lost hours", "negative"))
]


@dataclass(frozen=True)
class Disk:
    """A small disk."""

    folder: Path

    def fill(self, *, leave: int = 0) -> None:
        """Fills it but for some bytes."""
        # somebody else may write at this moment
        with suppress(OSError), (self.folder / "filler").open("ab") as file:
            file.write(bytes(max(shutil.disk_usage(self.folder).free - leave, 0)))

    def empty(self) -> None:
        """Makes room again."""
        (self.folder / "filler").unlink()


def read(value: object) -> dict:
    """Reads a component's JSON; an empty dictionary where there is none."""
    return json.loads(value) if isinstance(value, str) and value else {}


def run(client: Client, model: str, text: str = "A quiet film.") -> tuple[dict, str]:
    """Presses Run; gives the view's last message and the sentence above it."""
    view, status, *_ = client.predict(model, text, "", *SETTINGS, api_name="/page_run")
    return read(view), read(status).get("text", "")


def load(client: Client, model: str) -> dict:
    """Presses Load; gives the last card.

    Raises:
        AppError: With the sentence, after a refusal.
    """
    job = client.submit(model, api_name="/page_load")
    job.result(timeout=300)
    return read(job.outputs()[-1][1])


def visit(url: str) -> Client:
    """Opens a tab."""
    return Client(url, verbose=False)


def wait_until(is_so: Callable[[], object], seconds: float = 180) -> None:
    """Waits for something that others do."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def list_files(folder: Path) -> list[str]:
    """Every file under a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@contextmanager
def serving(**environment: str) -> Iterator[tuple[str, subprocess.Popen]]:
    """Runs ``python app.py`` in a process of its own; gives its address and the process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {name: value for name, value in os.environ.items() if not name.startswith(("ATTATTR_", "GRADIO_"))}
    command = [sys.executable, "app.py", "--port", str(port), "--offline"]
    process = subprocess.Popen(
        command, cwd=REPOSITORY, env=own | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}/"
    try:
        wait_until(lambda: answers(url))
        yield url, process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
