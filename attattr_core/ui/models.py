"""Which checkpoints visitors may use, and what is known about those that they named; torch is not needed here."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from attattr_core.checkpoints.catalog import EMBEDDED
from attattr_core.checkpoints.curated import read_curated
from attattr_core.datasets import APP_LIMITS, DataLimits
from attattr_core.errors import UserError
from attattr_core.hub import Description, HubLimits, describe, find_snapshot, parse_reference
from attattr_core.ui.limits import PageLimits

if TYPE_CHECKING:
    from attattr_core.ui.work import LabelReport

#: Begins the keys of label names that a link brings: it names a checkpoint by what stands in the field.
LINKED = "link:"
_MAX_KNOWN = 256
_SECONDS_KNOWN = 60.0  # so that what a page looks up and then loads is asked for once


@dataclass(frozen=True)
class Choice:
    """The checkpoint that a visitor has chosen.

    Attributes:
        text: What stands in the field.
        description: What that is, pinned to a commit.
        n_bytes_here: How much of it an interrupted download has brought.
    """

    text: str
    description: Description
    n_bytes_here: int = 0

    def __hash__(self) -> int:
        """Gradio tells by it whether another checkpoint was chosen; configurations in a description have no hash."""
        return hash((self.text, self.description.name, self.description.revision))

    @property
    def key(self) -> str:
        """What tells this checkpoint's weights from all others."""
        return "@".join(identify(self.description))

    @property
    def is_here(self) -> bool:
        """Whether nothing has to be downloaded."""
        try:
            for part in (self.description, self.description.base):
                if part is not None:
                    find_snapshot(part)
        except UserError:
            return False
        return True


@dataclass
class Models:
    """What a server offers: all that its limits allow, and its own folders where only its owner can ask.

    Attributes:
        limits: What may be loaded.
        folders: Whether visitors may name folders of this machine.
        reports: What is known of the checkpoints that were loaded, by the key of their choices.
        data: How much data may be read.
        page: How much a visitor may ask for at a time.
    """

    limits: HubLimits = field(default_factory=HubLimits)
    folders: bool = False
    reports: dict[str, "LabelReport"] = field(default_factory=dict)
    data: DataLimits = APP_LIMITS
    page: PageLimits = field(default_factory=PageLimits)
    _known: dict[str, tuple[float, Description]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def find(self, text: str, choice: Choice | None = None) -> Choice:
        """Finds and vets what a visitor named, within five seconds.

        Args:
            text: An embedded name, a Hub id with or without revision, an address, or a folder.
            choice: What the visitor has chosen so far; it stays pinned to its commit while the text is the same.

        Raises:
            UserError: When there is no such checkpoint or it may not be used.
        """
        text = str(text or "").strip()
        if choice is not None and choice.text == text:
            return choice
        with self._lock:
            moment, description = self._known.get(text, (0.0, None))
        if description is None or time.monotonic() - moment > _SECONDS_KNOWN:
            description = describe(parse_reference(text, folders=self.folders), limits=self.limits)
            self._remember(text, description)
        return Choice(text, description)

    def list_choices(self) -> list[tuple[str, str]]:
        """Lists the embedded and the curated checkpoints, each with a line about it."""
        embedded = [(f"{name} · {task}", name) for name, task in EMBEDDED.items()]
        curated = [(f"{entry.dataset} · {entry.family} · {entry.id}", entry.id) for entry in read_curated()]
        return embedded + curated

    def find_labels(self, choice: Choice, names: dict[str, tuple[str, ...]] | None) -> tuple[str, ...]:
        """Finds the label names of a choice: the visitor's own, else those of its configuration."""
        return self.find_own(choice, names) or self._list_labels(choice)

    def find_own(self, choice: Choice, names: dict[str, tuple[str, ...]] | None) -> tuple[str, ...]:
        """Finds the visitor's own label names of a choice, given here or brought by a link; () where there are none."""
        names, configured = names or {}, self._list_labels(choice)
        linked = names.get(LINKED + choice.text, ())
        if linked and linked != tuple(configured) and len(linked) == (len(configured) or len(linked)):
            return linked
        return names.get(choice.key, ())

    def _list_labels(self, choice: Choice) -> tuple[str, ...]:
        report = self.reports.get(choice.key)
        return report.labels if report else choice.description.labels

    def note(self, choice: Choice, report: "LabelReport") -> None:
        """Keeps what was found out about a checkpoint, for all visitors."""
        while len(self.reports) >= _MAX_KNOWN:
            del self.reports[next(iter(self.reports))]
        self.reports[choice.key] = report

    def forget(self) -> None:
        """Forgets what was looked up and found out."""
        with self._lock:
            self._known.clear()
            self.reports.clear()

    def _remember(self, text: str, description: Description) -> None:
        with self._lock:
            self._known.pop(text, None)
            self._known[text] = (time.monotonic(), description)
            while len(self._known) > _MAX_KNOWN:
                del self._known[next(iter(self._known))]


def identify(description: Description) -> tuple[str, str]:
    """Names a checkpoint and its revision, for keys; a folder's revision is when its files were last written."""
    if description.folder is not None and description.name not in EMBEDDED:
        return str(description.folder.absolute()), _read_state(description.folder)
    parts = (description, description.base)
    return description.name, "+".join(part.revision for part in parts if part is not None and part.revision)


def _read_state(folder: Path) -> str:
    return str(max((path.stat().st_mtime_ns for path in folder.iterdir()), default=0))
