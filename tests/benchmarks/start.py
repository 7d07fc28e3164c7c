"""Benchmark of the start: how soon the app answers, and how soon Run does.

    python -m tests.benchmarks.start [--rounds 3]

Every round starts ``python app.py`` three times, as processes of their own. Of the first only the page is asked for:
the seconds until it is answered, and what the process has computed until then. At the others a Chromium opens the page
as soon as that is so, types a sentence for an embedded checkpoint and presses Run: at once, while torch and the model
are still being loaded, or some seconds later and then again. A result is complete when every layer's maps are in the
browser and drawn. Beside it stands the time of one plain forward pass of the same text on the same checkpoint, measured
in the same round; the ratio says more where other work slows the machine. Without Chromium only the first is done.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.browser.chromium import ARGUMENTS, find_chromium

ROOT = Path(__file__).resolve().parents[2]
MODEL, TEXT = "sst2", "Not a single dull moment."
SECONDS_TO_WARM = 15
_LONGEST = 300.0
_N_PRESSES, _N_PASSES = 5, 50
# what names the run that is shown once all its layers are there and drawn
_DONE = """(before) => {
  const view = document.querySelector(".aa-view")?.attattr, meta = window.__attattr?.heatmaps?.run?.meta;
  const isThere = view?.shown() && meta.status !== "running" && view.layers.length === meta.n_layers;
  return isThere && meta.run !== before ? meta.run : false;
}"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args(arguments).rounds
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as app.py does
    figures: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, value in (measure_answer() | measure_page()).items():
            figures.setdefault(name, []).append(value)
    print("| | Median | Smallest to largest |\n|---|---:|---:|")
    for name, values in figures.items():
        print(f"| {name} | {statistics.median(values):.2f} | {min(values):.2f} to {max(values):.2f} |")
    if find_chromium() is None:
        print("\nNo Chromium is installed: the page's first result and Run were not measured.")


def measure_answer() -> dict[str, float]:
    """Starts the app and asks for the page: seconds until it is answered, and of the processor until then."""
    with serving() as (process, _, started):
        answered = time.perf_counter() - started
        return {"first answer, s": answered, "processor time until then, s": read_processor_time(process.pid)}


def measure_page() -> dict[str, float]:
    """Opens the page of two new servers: seconds until it shows a result, and from presses of Run to complete ones."""
    chromium = find_chromium()
    if chromium is None:
        return {}
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        with serving() as (_, url, started), opening(browser, url) as (page, run):
            figures = {"page shows its first result, s": time.perf_counter() - started}
            choose_sentence(page)
            figures["first Run, at once, s"], run = press_run(page, run)
        with serving() as (_, url, started), opening(browser, url) as (page, run):
            choose_sentence(page)
            page.wait_for_timeout(1000 * SECONDS_TO_WARM)
            figures[f"first Run, {SECONDS_TO_WARM} s later, s"], run = press_run(page, run)
            later = []
            for _ in range(_N_PRESSES):
                seconds, run = press_run(page, run)
                later.append(seconds)
            figures["Run again, s"] = statistics.median(later)
        browser.close()
    forward = time_forward()
    figures["one plain forward pass, s"] = forward
    figures["Run again, in forward passes"] = figures["Run again, s"] / forward
    return figures


@contextmanager
def opening(browser: object, url: str) -> Iterator[tuple[object, str]]:
    """Opens the page and waits for its first result; gives the page and what names that."""
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    page.set_default_timeout(1000 * _LONGEST)
    page.goto(url)
    yield page, wait_for_result(page, None)
    page.close()


def choose_sentence(page: object) -> None:
    """Chooses the embedded checkpoint and types the sentence."""
    page.locator("#model input").click()
    page.get_by_role("option", name=MODEL).first.click()
    page.locator("#text textarea").fill(TEXT)
    page.locator("#pair textarea").fill("")


def wait_for_result(page: object, before: str | None) -> str:
    """Waits until a result other than the one before is complete and drawn; gives what names its run."""
    return page.wait_for_function(_DONE, arg=before, polling="raf").json_value()


def press_run(page: object, before: str) -> tuple[float, str]:
    """Presses Run: seconds until the result is complete, and what names its run."""
    button = page.locator("#run")
    page.wait_for_function("!document.querySelector('#run').disabled")
    started = time.perf_counter()
    button.click()
    run = wait_for_result(page, before)
    return time.perf_counter() - started, run


def time_forward() -> float:
    """Median seconds of a plain forward pass of the sentence."""
    import torch

    from attattr_core import load_checkpoint
    from attattr_core.engine.encoding import encode

    checkpoint = load_checkpoint(MODEL, device="cpu")
    inputs = {name: torch.tensor([values]) for name, values in encode(checkpoint, TEXT).inputs.items()}
    times = []
    with torch.no_grad():
        for _ in range(_N_PASSES):
            started = time.perf_counter()
            checkpoint.model(**inputs)
            times.append(time.perf_counter() - started)
    return statistics.median(times)


@contextmanager
def serving() -> Iterator[tuple[subprocess.Popen, str, float]]:
    """Starts the app, and waits until it has answered; gives its process, its address and when it was started."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "app.py", "--offline", "--port", str(port)], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}/"
    try:
        while not answers(url):
            if process.poll() is not None or time.perf_counter() - started > _LONGEST:
                raise RuntimeError(f"The app did not answer at {url}.")
            time.sleep(0.02)
        yield process, url, started
    finally:
        process.terminate()
        process.wait()


def answers(url: str) -> bool:
    """Tells whether the page is there."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return b"AttAttr" in answer.read()
    except OSError:
        return False


def read_processor_time(pid: int) -> float:
    """Seconds that a process has computed, on Linux; elsewhere NaN."""
    path = Path(f"/proc/{pid}/stat")
    if not path.is_file():
        return float("nan")
    user, system = path.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
