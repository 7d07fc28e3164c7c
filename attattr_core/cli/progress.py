"""Bars for downloads, on a terminal only, and for long work."""

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from tqdm import tqdm

from attattr_core.errors import UserError
from attattr_core.hub import Progress


@contextmanager
def showing_download() -> Iterator[Callable[[Progress], None]]:
    """Gives what `load_checkpoint` and `finetune` call while they download; Ctrl-C keeps what has arrived.

    Raises:
        UserError: When a download was stopped; the sentence says how to go on.
    """
    bar: tqdm | None = None
    last = Progress(0, 0)

    def show(progress: Progress) -> None:
        nonlocal bar, last
        last = progress
        if bar is None and 0 < progress.n_bytes < progress.n_total and sys.stderr.isatty():
            sizes = {"total": progress.n_total, "initial": progress.n_bytes}
            bar = tqdm(**sizes, unit="B", unit_scale=True, leave=False, desc="download")
        if bar is not None:
            bar.update(progress.n_bytes - bar.n)
            if progress.n_bytes == progress.n_total:
                bar.close()

    try:
        yield show
    except KeyboardInterrupt:
        if last.n_bytes == last.n_total:
            raise
        raise UserError(
            f"The download was stopped after {last.n_bytes / 1e6:.1f} of {last.n_total / 1e6:.1f} MB: the same command "
            "goes on from there."
        ) from None
    finally:
        if bar is not None:
            bar.close()


def show_progress(steps: Iterator[Any], *, unit: str) -> Any:
    """Runs work that yields what there is so far, with a bar that shows the time left; gives the last of it.

    Args:
        steps: What it yields has ``n_done`` and ``n_total``.
        unit: What they count.
    """
    last = None
    with closing(steps), tqdm(unit=unit, leave=False) as bar:
        for last in steps:
            if bar.total is None:  # what an interrupted job had done is no speed
                bar.total, bar.initial, bar.n = last.n_total, last.n_done, last.n_done
            bar.update(last.n_done - bar.n)
    return last
