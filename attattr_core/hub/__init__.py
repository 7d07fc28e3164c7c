"""Models of the Hugging Face Hub: find and vet before anything large is downloaded, then fetch what was vetted."""

from attattr_core.hub.limits import HubLimits
from attattr_core.hub.metadata import Description, describe
from attattr_core.hub.reference import Reference, parse_reference
from attattr_core.hub.transfer import Progress, download, find_snapshot

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
