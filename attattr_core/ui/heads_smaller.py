"""Save a smaller model: the marked heads are removed, what that changes is measured, and a file comes."""

import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from attattr_core.datasets import pick_examples
from attattr_core.errors import UserError
from attattr_core.heads.names import METRIC_NAMES
from attattr_core.heads.results import DIRECTIONS
from attattr_core.ui.components import warn
from attattr_core.ui.data_picker import DataChoice, read_choice
from attattr_core.ui.heads_jobs import SmallerJob, SmallerStep
from attattr_core.ui.heads_payload import Heads, Progress, Shelf, SmallerInWords
from attattr_core.ui.heads_work import shrink_heads
from attattr_core.ui.long_work import Desk
from attattr_core.ui.model_picker import Names
from attattr_core.ui.models import Choice, Models
from attattr_core.ui.shortages import describe_full_disk
from attattr_core.ui.work import Refusal

_MOST_EXAMPLES = 100
_STAGES = {
    "saving": "saving the smaller model",
    "measuring": "measuring the smaller model",
    "packing": "packing the smaller model",
    "done": "the smaller model is ready",
}


def save_smaller_model(
    models: Models,
    model: str,
    data: DataChoice,
    choice: Choice | None,
    names: Names | None,
    shelf: Shelf,
    desk: Desk,
    asked: Any,
) -> Iterator[tuple[Any, Any, Any, Any]]:
    """Removes the heads that the page marks, measures and packs.

    Yields:
        Values for the view, the status, the shelf and the file.
    """
    yield from desk.follow(_save(models, model, data, choice, names, shelf, asked))


def _save(
    models: Models,
    model: str,
    data: DataChoice,
    choice: Choice | None,
    names: Names | None,
    shelf: Shelf,
    asked: Any,
) -> Iterator[tuple[Any, Any, Any, Any]]:
    folder, is_given = Path(get_upload_folder()) / secrets.token_hex(32), False  # Gradio copies nothing from there
    try:
        _make(folder)
        choice = models.find(model, choice)
        heads = _read_heads(shelf.shown, choice, asked)
        if not choice.is_here:
            raise UserError(f"{choice.description.name!r} is not downloaded yet: press Load first.")
        examples = pick_examples(read_choice(data, models.find_labels(choice, names)), _MOST_EXAMPLES, seed=0)
        importance = shelf.shown.study.importances[asked["method"]]
        name = re.sub(r"[^\w.-]+", "-", choice.description.name.split("/")[-1])[:80]
        path = folder / f"{name}-without-{len(heads)}-heads.zip"
        for step in shrink_heads(SmallerJob(choice.description, heads, importance, examples, path)):
            if isinstance(step, Refusal):
                raise UserError(step.sentence)
            if step.figures is None:
                progress = Progress(_STAGES[step.stage], step.n_done, step.n_total, "steps")
                shelf = shelf.put(shelf.shown.wait(progress, status="saving"))
                yield shelf.build_message(), "", shelf, gr.skip()
            else:
                smaller = describe_smaller(step, len(heads), importance.values.size)
                shelf = shelf.put(replace(shelf.shown.settle(), smaller=smaller))
                yield shelf.build_message(), "", shelf, gr.File(str(path), visible=True)
                is_given = True  # not before: a stop now leaves nobody who could fetch it
    except UserError as error:
        shelf = shelf.put(shelf.shown.settle())
        yield shelf.build_message(), warn(str(error)), shelf, gr.skip()
    finally:
        if not is_given:
            shutil.rmtree(folder, ignore_errors=True)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise UserError(describe_full_disk(str(error.strerror))) from error


def _read_heads(heads: Heads, choice: Choice, asked: Any) -> tuple[tuple[int, int], ...]:
    """The heads that are marked, found again from the order; what the page says is not trusted."""
    asked = asked if isinstance(asked, dict) else {}
    method, direction, n = asked.get("method"), asked.get("direction"), asked.get("n")
    importance = heads.study.importances.get(str(method)) if heads.study else None
    if asked.get("run") != heads.run or heads.key != choice.key or importance is None:
        raise UserError("The study shown is no longer on the server: measure again, then save.")
    if direction not in DIRECTIONS or type(n) is not int or not 0 < n < importance.values.size:
        raise UserError("All heads or none cannot be removed: move the slider, then save.")
    return tuple(divmod(index, importance.values.shape[1]) for index in importance.list_order(direction)[:n].tolist())


def describe_smaller(step: SmallerStep, n_heads: int, n_all: int) -> SmallerInWords:
    """Puts a smaller model into words."""
    sentence = f"{n_heads} of {n_all} heads removed"
    if step.n_zeroed:
        sentence += (
            f"; the weights of {step.n_zeroed} are zeros, because a configuration gives all layers one number of heads"
        )
    sentence += (
        f"; measured on {step.n_examples} examples, {step.device}. Times are medians of all sentences; × compares the "
        "two on the same sentence in turns: the median of the rounds, and the lowest and the highest of them."
    )
    return SmallerInWords(sentence, tuple(_list_rows(step)))


def _list_rows(step: SmallerStep) -> Iterator[tuple[str, str, str, str]]:
    before, after = step.figures
    share = after.n_parameters / before.n_parameters
    yield (
        "parameters",
        f"{before.n_parameters / 1e6:.2f} M",
        f"{after.n_parameters / 1e6:.2f} M",
        f"{share:.1%}".replace("%", " %"),
    )
    share = after.n_bytes / before.n_bytes
    yield (
        "weights",
        f"{before.n_bytes / 1e6:.1f} MB",
        f"{after.n_bytes / 1e6:.1f} MB",
        f"{share:.1%}".replace("%", " %"),
    )
    spread = f"× {after.time_ratio:.2f} in turns ({after.time_low:.2f} to {after.time_high:.2f})"
    yield "time for a sentence", f"{1e3 * before.seconds:.1f} ms", f"{1e3 * after.seconds:.1f} ms", spread
    values = (f"{before.metric:.3f}", f"{after.metric:.3f}", f"{after.metric - before.metric:+.3f}")
    yield METRIC_NAMES[step.metric_name], *(text.replace("-", "−") for text in values)
