"""Labelled data: files in GLUE's and common layouts, the embedded sets, and data sets of the Hub.

Nothing here knows torch or transformers; fine-tuning, head importance and trigger mining read through it.
"""

from attattr_core.datasets.examples import Example, ExampleSet, digest_example, digest_file, pick_examples
from attattr_core.datasets.limits import APP_LIMITS, MAX_BYTES, MAX_ROWS, DataLimits
from attattr_core.datasets.opening import DATA_HELP, EMBEDDED_SETS, open_data
from attattr_core.datasets.preview import Preview, preview
from attattr_core.datasets.reading import read_examples

__all__ = [
    "APP_LIMITS",
    "DATA_HELP",
    "EMBEDDED_SETS",
    "MAX_BYTES",
    "MAX_ROWS",
    "DataLimits",
    "Example",
    "ExampleSet",
    "Preview",
    "digest_example",
    "digest_file",
    "open_data",
    "pick_examples",
    "preview",
    "read_examples",
]
