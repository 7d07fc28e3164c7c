"""Many visitors at once on the real app, for some minutes; they come over this machine's loopback alone.

    python -m tests.load.load --clients 50 --minutes 10

Each visitor does one thing after the other, chosen at random (`tests.load.visits`), in a tab that stays open for a few
of them. Printed are throughput, waits and errors by what was done, what the server's memory was over time, and which
files it left behind. The exit code is 1 when an answer was somebody else's, when an error was no sentence of the app's
own, when a job was left behind, or when the memory grew by more than a tenth after the first third of the time
that visitors came.
"""

import argparse
import asyncio
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import count
from pathlib import Path
from statistics import median

import httpx

from attattr_core.ui.limits import SHARED_LIMITS, PageLimits
from tests.load.tab import Page, RefusedError, Tab
from tests.load.visits import VISITS, Visit

REPOSITORY = Path(__file__).resolve().parents[2]
MOST_CLIENTS, MOST_MINUTES = 200, 60
_START = 180.0  # seconds: on a busy machine imports take their time
_LONGEST = 600.0  # seconds of one visit
_GROWTH = 0.10
_SECONDS_BETWEEN_SAMPLES = 2.0


@dataclass(frozen=True)
class Done:
    """A visit: what was done, how long the first result and the last took in seconds, and what went wrong, or ""."""

    kind: str
    first: float | None
    seconds: float
    refusal: str = ""
    error: str = ""


@dataclass(frozen=True)
class Sample:
    """The server at a moment: seconds since the beginning, resident bytes, bytes of its temporary files."""

    moment: float
    resident: int
    on_disk: int


@dataclass
class Report:
    """What came of it.

    Attributes:
        visits: All of them, in the order in which they ended.
        samples: Of the server, over time.
        came: For how many seconds visitors came.
        seconds: How long it took until the last of them had his answer.
        told: How many sentences about waiting they were told.
        left: Files of jobs that were there at the end.
        crashes: What the server wrote about errors that it did not expect.
    """

    visits: list[Done] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    came: float = 0.0
    seconds: float = 0.0
    told: int = 0
    left: list[str] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)

    @property
    def errors(self) -> list[Done]:
        """What is neither an answer nor a polite refusal."""
        return [visit for visit in self.visits if visit.error]

    def measure_growth(self) -> float:
        """Measures how much the resident memory grew from the first third of the time that visitors came to its end.

        Compared, as a share, are medians of a sixth of that time each, for jobs take memory and give it back. After it
        there are only the longest jobs left.
        """
        end = self.came
        early, late = (
            [sample.resident for sample in self.samples if low * end <= sample.moment <= high * end]
            for low, high in ((1 / 3, 1 / 2), (5 / 6, 1))
        )
        return median(late) / median(early) - 1

    def list_faults(self) -> list[str]:
        """Lists in words what makes the run a failure."""
        faults = [f"{visit.kind}: {visit.error}" for visit in self.errors]
        faults += [f"the server: {line}" for line in self.crashes]
        faults += [f"left behind: {name}" for name in self.left]
        return faults


@contextmanager
def serve(folder: Path) -> Iterator[tuple[str, subprocess.Popen]]:
    """Starts ``python app.py`` with a temporary folder of its own; gives its address and its process.

    The limits are those for strangers, but texts may be as long as on one's own machine.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    limits = asdict(replace(SHARED_LIMITS, max_tokens=PageLimits.max_tokens))
    own = {f"ATTATTR_{name.upper()}": str(value) for name, value in limits.items()}
    own |= {"TMPDIR": str(folder), "GRADIO_TEMP_DIR": str(folder / "gradio"), "ATTATTR_OFFLINE": "1"}
    command = [sys.executable, "app.py", "--host", "127.0.0.1", "--port", str(port)]
    with (folder.parent / "server.log").open("w") as log:
        process = subprocess.Popen(command, cwd=REPOSITORY, env=os.environ | own, stdout=log, stderr=log)
    url, end = f"http://127.0.0.1:{port}", time.monotonic() + _START
    try:
        while not _answers(url):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the app did not start:\n{(folder.parent / 'server.log').read_text()[-2000:]}")
            time.sleep(0.5)
        yield url, process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/config", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


async def visit_all(url: str, process: subprocess.Popen, folder: Path, n_clients: int, seconds: float) -> Report:
    """Sends visitors for some seconds and lets the last of them finish."""
    report, numbers, began = Report(came=seconds), count(1), time.monotonic()
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=httpx.Timeout(60, read=None), limits=limits) as http:
        page = Page.read((await http.get("/config")).json())
        sampling = asyncio.create_task(_sample(report, process, folder, began))
        await asyncio.gather(
            *(_come(report, http, page, numbers, client, began + seconds) for client in range(n_clients))
        )
        report.seconds = time.monotonic() - began
        sampling.cancel()
    return report


async def _come(
    report: Report, http: httpx.AsyncClient, page: Page, numbers: Iterator[int], client: int, end: float
) -> None:
    """One visitor: tab after tab, and in each a few things."""
    chance = random.Random(client)
    await asyncio.sleep(chance.uniform(0, 2))
    while time.monotonic() < end:
        async with Tab.open(http, page) as tab:
            for _ in range(chance.randint(1, 6)):
                if time.monotonic() > end:
                    break
                act = chance.choices(list(VISITS), list(VISITS.values()))[0]
                report.visits.append(await _act(act, Visit(tab, next(numbers), chance)))
                if act.__name__ == "close_tab":
                    break
            report.told += len(tab.said)


async def _act(act: object, visit: Visit) -> Done:
    start = time.monotonic()
    refusal = error = ""
    try:
        await asyncio.wait_for(act(visit), _LONGEST)
    except RefusedError as refused:
        refusal = str(refused)
    except TimeoutError:
        error = f"no answer within {_LONGEST:.0f} s"
    except Exception as raised:  # whatever it is, it is reported
        error = f"{type(raised).__name__}: {raised}"[:300]
    first = None if visit.first is None else visit.first - start
    return Done(act.__name__.replace("_", " "), first, time.monotonic() - start, refusal, error)


async def _sample(report: Report, process: subprocess.Popen, folder: Path, began: float) -> None:
    while True:
        status = Path(f"/proc/{process.pid}/status").read_text()
        resident = int(status.split("VmRSS:")[1].split()[0]) << 10
        on_disk = sum(path.stat().st_size for path in _list_files(folder))
        report.samples.append(Sample(time.monotonic() - began, resident, on_disk))
        await asyncio.sleep(_SECONDS_BETWEEN_SAMPLES)


def _list_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def list_left(folder: Path) -> list[str]:
    """Lists files of jobs that have ended; what Gradio got or gave lives for an hour, and so does unfinished work."""
    names = (path.relative_to(folder) for path in _list_files(folder))
    return [str(name) for name in names if not name.parts[0].startswith(("gradio", "attattr-work-"))]


def print_report(report: Report, n_clients: int) -> None:
    """Prints the report as Markdown."""
    answers = [visit for visit in report.visits if not visit.error and not visit.refusal]
    a_minute, n_refused = 60 * len(answers) / report.seconds, sum(bool(visit.refusal) for visit in report.visits)
    print(
        f"{n_clients} visitors, {report.seconds:.0f} s: {len(answers)} answers ({a_minute:.0f} a minute), {n_refused} "
        f"refused, {len(report.errors)} errors; {report.told} sentences about waiting.\n"
    )
    print(
        "| | Answers | First result, s: median | 95 % | largest | All, s: median | 95 % | largest | Refused | Errors |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for kind in sorted({visit.kind for visit in report.visits}):
        own = [visit for visit in report.visits if visit.kind == kind]
        times = _spread([visit.first for visit in own if visit.first is not None and not visit.error])
        whole = _spread([visit.seconds for visit in own if not visit.error and not visit.refusal])
        n_right = sum(not visit.error and not visit.refusal for visit in own)
        n_refused, n_wrong = sum(bool(visit.refusal) for visit in own), sum(bool(visit.error) for visit in own)
        print(f"| {kind} | {n_right} | {times} | {whole} | {n_refused} | {n_wrong} |")
    print("\n| Minute | Resident, MB | Temporary files, MB |\n|---:|---:|---:|")
    for minute in range(int(report.samples[-1].moment // 60) + 1):
        within = [sample for sample in report.samples if sample.moment // 60 == minute]
        largest = max(sample.resident for sample in within)
        print(f"| {minute + 1} | {largest / 1e6:.0f} | {within[-1].on_disk / 1e6:.1f} |")
    print(f"\nMemory from the first third to the end: {report.measure_growth():+.1%}, of {_GROWTH:.0%} at most")
    for sentence, n in Counter(visit.refusal for visit in report.visits if visit.refusal).most_common():
        print(f"refused {n} times: {sentence}")
    for fault, n in Counter(report.list_faults()).most_common():
        print(f"FAULT ({n} times): {fault}")


def _spread(values: list[float]) -> str:
    if not values:
        return " | | "
    ordered = sorted(values)
    return " | ".join(
        f"{value:.1f}" for value in (median(ordered), ordered[int(0.95 * (len(ordered) - 1))], ordered[-1])
    )


def run(n_clients: int, seconds: float) -> Report:
    """Starts the app, sends visitors, ends the app, and looks at what is left."""
    with tempfile.TemporaryDirectory(prefix="attattr-load-") as parent:
        folder = Path(parent) / "temporary"
        folder.mkdir()
        with serve(folder) as (url, process):
            report = asyncio.run(visit_all(url, process, folder, n_clients, seconds))
            if process.poll() is not None:
                report.crashes.append(f"ended with {process.returncode}")
            report.left = list_left(folder)
        log = (Path(parent) / "server.log").read_text()
        report.crashes += [part.strip()[-1500:] for part in log.split("Traceback (most recent call last):")[1:]]
    return report


def main() -> None:
    """Reads the command line and runs."""
    parser = argparse.ArgumentParser(description="Many visitors at once on the real app, over loopback.")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    if not (0 < options.clients <= MOST_CLIENTS and 0 < options.minutes <= MOST_MINUTES):
        parser.error(f"at most {MOST_CLIENTS} clients and {MOST_MINUTES} minutes")
    report = run(options.clients, 60 * options.minutes)
    print_report(report, options.clients)
    sys.exit(1 if report.list_faults() or report.measure_growth() > _GROWTH else 0)


if __name__ == "__main__":
    main()
