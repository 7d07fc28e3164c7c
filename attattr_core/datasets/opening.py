"""Data as a person names them: an embedded set, a file, or a data set of the Hub."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attattr_core.datasets.examples import ExampleSet
from attattr_core.datasets.labelling import label_table
from attattr_core.datasets.limits import DataLimits
from attattr_core.datasets.reading import read_table

if TYPE_CHECKING:
    from attattr_core.hub import HubLimits, Progress

_FOLDER = Path(__file__).resolve().parents[2] / "assets" / "data"
#: The sets that come with the program, by name: those that fit the embedded checkpoints of the same name.
EMBEDDED_SETS = {name: _FOLDER / f"{name}.tsv" for name in ("sst2", "snli")}
HUB_PREFIX = "hub:"
DATA_HELP = (
    "labelled data: a .tsv, .csv, .jsonl (or .gz of one) or .parquet file, sst2 or snli for the embedded sets, or a "
    "data set of the Hub as hub:ID:CONFIG:SPLIT, such as hub:nyu-mll/glue:sst2:validation"
)


def open_data(
    text: str | Path,
    labels: Sequence[str] | None = None,
    limits: DataLimits | None = None,
    *,
    hub_limits: "HubLimits | None" = None,
    on_progress: "Callable[[Progress], None] | None" = None,
) -> ExampleSet:
    """Read the data that a command's ``--data`` names.

    Args:
        text: ``"sst2"`` or ``"snli"`` for an embedded set, a file, or ``"hub:ID[@REVISION][:CONFIG]:SPLIT"``.
        labels: Class names by index, as `attattr_core.datasets.read_examples` takes them: the checkpoint's.
        limits: How much is read; by default what ATTATTR_MAX_ROWS and ATTATTR_MAX_DATA_BYTES say.
        hub_limits: Whether the Hub may be asked; by default what the environment says.
        on_progress: Called as a data set is downloaded; an exception stops the download.

    Raises:
        UserError: When there are no such data or they cannot be used.
    """
    limits = limits or DataLimits.from_environment()
    name = str(text)
    if name in EMBEDDED_SETS:
        return label_table(read_table(EMBEDDED_SETS[name], limits), labels)
    if name.startswith(HUB_PREFIX):
        from attattr_core.datasets.hub_reading import open_hub, read_split
        from attattr_core.hub import HubLimits

        hub_limits = hub_limits or HubLimits.from_environment()
        split = open_hub(name.removeprefix(HUB_PREFIX), limits=limits, hub_limits=hub_limits, on_progress=on_progress)
        return label_table(read_split(split, limits), labels)
    return label_table(read_table(name, limits), labels)
