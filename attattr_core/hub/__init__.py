"""Models of the Hugging Face Hub: find and vet before anything large is downloaded, then fetch what was vetted."""

from attattr_core.hub.download import Progress, download, find_snapshot
from attattr_core.hub.limits import HubLimits
from attattr_core.hub.metadata import Description, describe
from attattr_core.hub.reference import Reference, parse_reference

__all__ = [
    "Description",
    "HubLimits",
    "Progress",
    "Reference",
    "describe",
    "download",
    "find_snapshot",
    "parse_reference",
]
