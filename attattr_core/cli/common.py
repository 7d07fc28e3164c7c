"""What several commands share: files that can be written, and a classifier from its name."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from attattr_core.errors import UserError
from attattr_core.settings import PRECISIONS

if TYPE_CHECKING:
    from attattr_core.checkpoints.checkpoint import Checkpoint
    from attattr_core.datasets import ExampleSet

MODEL_HELP = "sst2, snli, a folder in Hugging Face format, or a model of the Hub: id, id@revision or address"
RULE_HELP = "quadrature rule (default: gauss-lobatto to a tolerance, gauss-legendre for a fixed number of nodes)"
DEVICE_HELP = "cpu, cuda, cuda:1 or mps (default: the fastest that is there)"
PRECISION_HELP = (
    "arithmetic of the nodes' gradients: float32, or on a card tf32 or bfloat16, faster and with fewer digits; the "
    "convergence delta tells what they cost (default: %(default)s)"
)


def add_precision(parser: argparse._ActionsContainer) -> None:
    """Adds ``--precision`` to a command or a group of its options."""
    parser.add_argument("--precision", choices=PRECISIONS, default=PRECISIONS[0], help=PRECISION_HELP)


def check_suffix(path: Path, suffixes: tuple[str, ...]) -> None:
    """Raises UserError when a file's name ends in none of the suffixes."""
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        raise UserError(f"{str(path)!r} ends in {suffix!r}: choose one of {', '.join(suffixes)}.")


def check_writable(path: Path) -> None:
    """Raises UserError when a file cannot be written; one that is there is left as it is."""
    try:
        if not path.absolute().parent.is_dir():
            raise UserError(f"There is no folder {str(path.parent)!r} to write into: make it first.")
        existed = path.exists()
        path.open("ab").close()
        if not existed:
            path.resolve().unlink()  # where a link leads, not the link
    except OSError as error:
        raise UserError(f"{str(path)!r} cannot be written ({error.strerror}): choose another --output.") from error


def load_model(name: str, device: str | None) -> "Checkpoint":
    """Loads a classifier, with a bar for what is downloaded.

    Raises:
        UserError: When there is no such checkpoint or device.
    """
    from attattr_core.checkpoints.checkpoint import load_checkpoint, silence_loading
    from attattr_core.cli.progress import showing_download
    from attattr_core.engine.devices import choose_device

    place = choose_device(device)
    silence_loading()
    with showing_download() as on_progress:
        return load_checkpoint(name, device=place, on_progress=on_progress)


def open_examples(name: str, checkpoint: "Checkpoint") -> "ExampleSet":
    """Reads labelled data for a classifier, with a bar for what is downloaded, and says what is to be known of them.

    Raises:
        UserError: When there are no such data or they do not fit the classifier.
    """
    from attattr_core.cli.progress import showing_download
    from attattr_core.datasets import open_data

    with showing_download() as on_progress:
        examples = open_data(name, checkpoint.labels, on_progress=on_progress)
    if examples.notice:
        print(examples.notice, file=sys.stderr)
    return examples
